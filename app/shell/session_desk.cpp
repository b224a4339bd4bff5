#include "app/shell/session_desk.h"

#include "app/session/stepper.h"
#include "app/shell/dock_area.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notes_window.h"
#include "app/shell/recent_files.h"
#include "app/shell/window_actions.h"
#include "app/shell/window_menu.h"

#include <QPlainTextEdit>
#include <QProcess>
#include <QTimer>

#include <algorithm>
#include <utility>

namespace moe::app {

namespace {

constexpr int longest_replay = 10'000;  // milliseconds until stepping is left where it is

}  // namespace

SessionDesk::SessionDesk(const DeskParts& parts, DeskOptions options, QWidget* window)
    : QObject(window),
      parts_(parts),
      options_(std::move(options)),
      window_(window),
      autosaver_(new Autosaver(parts.bench, options_.autosave, this)),
      recovery_(new Recovery(parts.models, *autosaver_, parts.notice, options_.autosave.root, this)),
      recent_(new RecentFiles(options_.settings, parts.menu.recentMenu(), this)) {
    parts_.bench.setSurroundings([this] { return scene(); },
                                 [this](const QString& id) -> const Lesson* {
                                     for (const Lesson& lesson : options_.lessons->lessons)
                                         if (lesson.id == id) return &lesson;
                                     return nullptr;
                                 });
    connect(&parts_.bench, &Workbench::sceneRead, this, &SessionDesk::show);
    // Once the moment is there, and then its trace; whoever goes elsewhere meanwhile is not called back.
    connect(&parts_.bench.session(), &SessionController::valuesChanged, this, &SessionDesk::stepOn);
    connect(&parts_.stepper, &Stepper::changed, this, &SessionDesk::stepOn);
    connect(&parts_.stepper, &Stepper::activeChanged, this, [this](bool active) {
        if (!active) stepping_.reset();
    });
    connect(&parts_.bench, &Workbench::opened, this, [this] {
        if (stepping_) QTimer::singleShot(longest_replay, this, [this] { stepping_.reset(); });
    });
    connect(&parts_.bench, &Workbench::remarked, this,
            [this](const QString& sentences) { parts_.notice.tell(Notice::Kind::refused, sentences); });
    connect(autosaver_, &Autosaver::failed, this,
            [this](const QString& sentence) { parts_.notice.tell(Notice::Kind::refused, sentence); });
    connectFiles();
}

void SessionDesk::connectFiles() {
    connect(&parts_.bench, &Workbench::fileUsed, this, [this](const std::filesystem::path& path) {
        recent_->add(QString::fromStdString(path.lexically_normal().string()));
    });
    connect(recent_, &RecentFiles::chosen, this, [this](const QString& file) {
        parts_.models.openRecent(file.toStdString(), [this, file] { recent_->remove(file); });
    });
    connect(parts_.actions.notes, &QAction::triggered, this, [this] {
        notes().show();
        notes().raise();
        notes().activateWindow();
        notes().text()->setFocus();
    });
    parts_.actions.newWindow->setVisible(!options_.program.isEmpty());
    connect(parts_.actions.newWindow, &QAction::triggered, this, &SessionDesk::openWindow);
    parts_.actions.sessionLayout->setEnabled(false);
    connect(parts_.actions.sessionLayout, &QAction::triggered, this, [this] { parts_.docks.setLayout(layout_); });
}

SessionScene SessionDesk::scene() const {
    SessionScene scene;
    const SessionController& session = parts_.bench.session();
    if (const Lesson* lesson = parts_.bench.identity().lesson) {
        const LessonPlayer& player = parts_.column.lesson()->player();
        scene.lesson = lesson->id.toStdString();
        if (player.lesson() == lesson) {
            scene.lesson_step = player.index();
            scene.guesses = player.guesses();
        }
    }
    scene.speed = session.live().speed_limit;
    scene.expert = session.focusedExpert();
    scene.looked_at = session.lookedAt();
    const std::shared_ptr<const Trace>& trace = parts_.stepper.trace();
    if (parts_.stepper.active() && trace && parts_.stepper.operation() < trace->ops.size())
        scene.stepping = {trace->step, trace->ops[parts_.stepper.operation()].id, parts_.stepper.example()};
    scene.arrangement = DockLayout::of(parts_.docks).text();
    return scene;
}

void SessionDesk::show(const SessionScene& scene, const Lesson* lesson, bool restored) {
    SessionController& session = parts_.bench.session();
    session.setSpeed(scene.speed);
    if (!scene.expert || *scene.expert < session.live().experiment.model.num_experts)
        session.setFocusedExpert(scene.expert);
    if (lesson) {
        const bool another = lesson != &options_.lessons->lessons.back();
        parts_.column.lesson()->resume({lesson, scene.lesson_step, scene.guesses}, another,
                                       session.probeText().toStdString());
        parts_.docks.pointAt(parts_.column.lesson()->player().step()->look);
    }
    parts_.stepper.leave();
    if (scene.looked_at) session.lookAt(*scene.looked_at);
    stepping_ = scene.stepping;
    stepOn();
    layout_ = DockLayout::read(scene.arrangement);
    parts_.actions.sessionLayout->setEnabled(!layout_.cells.empty());
    if (restored) parts_.docks.setLayout(layout_);
}

void SessionDesk::stepOn() {
    if (!stepping_) return;
    Stepper& stepper = parts_.stepper;
    if (parts_.bench.session().snapshot().step != stepping_->step) return;
    if (!stepper.active()) return stepper.enter();
    const std::shared_ptr<const Trace> trace = stepper.trace();
    if (stepper.waiting() || !trace || trace->step != stepping_->step) return;
    const SteppingPlace place = *std::exchange(stepping_, std::nullopt);
    const auto op = std::ranges::find(trace->ops, place.op, &TraceOp::id);
    if (op != trace->ops.end()) stepper.setOperation(std::size_t(op - trace->ops.begin()));
    if (place.example < trace->examples) stepper.setExample(place.example);
}

NotesWindow& SessionDesk::notes() {
    if (!notes_) notes_ = new NotesWindow(parts_.bench, window_);
    return *notes_;
}

void SessionDesk::openWindow() {
    if (!QProcess::startDetached(options_.program.front(), options_.program.mid(1)))
        parts_.notice.tell(Notice::Kind::refused, tr("Another window cannot be started; close some programs."));
}

}  // namespace moe::app
