#include "app/shell/main_window.h"

#include "app/models/experiment_draft.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "app/shell/device_control.h"
#include "app/shell/dock_area.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/export_actions.h"
#include "app/shell/help_boxes.h"
#include "app/shell/inspector_opener.h"
#include "app/shell/keys_home.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_guide.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notice.h"
#include "app/shell/stepping_control.h"
#include "app/shell/stepping_figures.h"
#include "app/shell/stepping_list.h"
#include "app/shell/style.h"
#include "app/shell/time_control.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/window_menu.h"
#include "app/shell/workbench.h"

#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QMimeData>
#include <QScreen>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr int rescale_pause = 60;  // milliseconds after the last change of size
constexpr int frame_pause = 100;   // milliseconds
constexpr int keep_pause = 2000;   // milliseconds between looks whether the window's state has changed
constexpr int least_width = 1160, least_height = 640;

/// A remembered GPU that is off today is no reason not to start: "auto" takes it where it is on.
SessionOptions onDevice(SessionOptions options, const QString& remembered) {
    if (options.backend.device == "auto" && remembered == QLatin1String("cpu")) options.backend.device = "cpu";
    return options;
}

}  // namespace

MainWindow::MainWindow(WindowOptions options, QWidget* parent)
    : QMainWindow(parent),
      options_(std::move(options)),
      remembered_(WindowState::read(options_.settings)),
      kept_(remembered_),
      session_(onDevice(options_.session, remembered_.device), nullptr, options_.devices),
      bench_(new Workbench(session_, options_.h5, this)),
      actions_(new WindowActions(this)),
      models_(new ModelActions(*bench_, options_.session, this)),
      guide_(new LessonGuide(*bench_, this)),
      theme_choice_(remembered_.theme) {
    setAcceptDrops(true);
    setMinimumSize(least_width, least_height);
    resize(remembered_.size);
    build();
    applyTheme();
    connectTransport();
    connectColumn();
    connectBench();
    desk_ = new SessionDesk({*bench_, *models_, *actions_, *menu_, *column_, *docks_, stepping_->stepper(), *notice_},
                            {options_.settings, &options_.lessons, options_.autosave, options_.program}, this);
    rescale_.setSingleShot(true);
    rescale_.setInterval(rescale_pause);
    connect(&rescale_, &QTimer::timeout, this, &MainWindow::applyTheme);
    keep_.setInterval(keep_pause);
    connect(&keep_, &QTimer::timeout, this, &MainWindow::keepState);
    keep_.start();
    if (remembered_.maximized) setWindowState(Qt::WindowMaximized);
    showIdentity();
    showState();
}

MainWindow::~MainWindow() {
    // The stack still says that it empties when it goes, and the notice that this would reach has gone before it.
    bench_->undoStack().disconnect(this);
}

void MainWindow::build() {
    auto* page = new QWidget(this);
    setRole(page, "page");
    menu_ = new WindowMenu(*actions_, options_.lessons, this);
    transport_ = new TransportBar(
        {actions_->reset, actions_->play, actions_->operationBack, actions_->operation, actions_->batch,
         actions_->epoch, actions_->stepThrough, actions_->exporting, actions_->menu, menu_},
        page);
    column_ = new LeftColumn(page);
    docks_ = new DockArea(session_, page);
    menu_->setDocks(docks_);
    stepping_ = new SteppingControl(*bench_, *actions_, page);
    auto* middle = new QWidget(page);
    auto* middle_rows = new QVBoxLayout(middle);
    middle_rows->setContentsMargins(0, 0, 0, 0);
    middle_rows->setSpacing(0);
    middle_rows->addWidget(notice_ = new Notice(middle));
    middle_rows->addWidget(stepping_->place(column_, docks_), 1);
    new InspectorOpener(*docks_, actions_->inspector, this);
    exports_ = new ExportActions(*bench_, *docks_, *notice_, *actions_, this);
    exports_->setFurther([this](const Theme& theme) { return steppingFigures(*stepping_, theme); });
    time_ = new TimeControl(*bench_, *docks_, *notice_, *actions_, this);
    const QString asked = QString::fromStdString(options_.session.backend.device);
    device_ = new DeviceControl(session_, *transport_->device(), *docks_, *notice_, actions_->device,
                                asked == QLatin1String("auto") ? remembered_.device : asked, this);
    connect(device_, &DeviceControl::chosen, this, [this](const QString& device) { remembered_.device = device; });
    auto* rows = new QVBoxLayout(page);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->setSpacing(0);
    rows->addWidget(transport_);
    auto* row = new QHBoxLayout;
    row->setSpacing(0);
    row->addWidget(column_);
    row->addWidget(stepping_->list());
    row->addWidget(middle, 1);
    rows->addLayout(row, 1);
    setCentralWidget(page);
    if (DockFrame* stage = docks_->stage(); stage && stage->view()->focusPolicy() == Qt::NoFocus)
        stage->view()->setFocusPolicy(Qt::StrongFocus);
    toPicture();
    new KeysHome(this, [this] { toPicture(); });
    connect(notice_, &Notice::keysLeft, this, &MainWindow::toPicture);
}

void MainWindow::connectTransport() {
    connect(actions_->play, &QAction::triggered, this, &MainWindow::playOrPause);
    connect(actions_->reset, &QAction::triggered, bench_, &Workbench::reset);
    connect(transport_, &TransportBar::speedChanged, &session_, &SessionController::setSpeed);
    connect(transport_, &TransportBar::offerTaken, this, &MainWindow::trainMore);
    connect(transport_, &TransportBar::seedEntered, this, [this](quint64 seed) {
        Experiment experiment = bench_->plannedExperiment();
        experiment.train.seed = seed;
        bench_->restart(experiment, [this, seed](const QString& error) {
            if (error.isEmpty())
                notice_->tell(
                    Notice::Kind::told,
                    tr("A new model from seed %1. Undo brings the one before back.").arg(QString::number(seed)));
            else
                notice_->tell(Notice::Kind::refused, error);
        });
    });
    connect(&session_, &SessionController::devicesChanged, this, [this] {
        if (!session_.hasGpu()) return;  // one that is lost keeps the place of what it reached
        transport_->setTwoDevices();
        transport_->showSnapshot(session_.live());
    });
    connect(actions_->open, &QAction::triggered, models_, [this] { models_->open(); });
    connect(actions_->save, &QAction::triggered, models_, [this] { models_->save(); });
    connect(actions_->saveAs, &QAction::triggered, models_, [this] { models_->saveAs(); });
    connect(actions_->forKeras, &QAction::triggered, models_, [this] { models_->exportForKeras(); });
    connect(actions_->ownText, &QAction::triggered, models_, [this] { models_->ownText(); });
    connect(actions_->paste, &QAction::triggered, models_,
            [this] { models_->ownText(QApplication::clipboard()->text()); });
    connect(actions_->quit, &QAction::triggered, this, &QWidget::close);
    connect(actions_->undo, &QAction::triggered, this, [this] {
        if (bench_->busy()) return;
        bench_->undoStack().undo();
        // What was undone may not have been the cause: then the sentence comes back, with what can be undone next.
        QTimer::singleShot(300, this, [this] {
            if (session_.live().state == SessionState::failed && notice_->kind() == Notice::Kind::none) showState();
        });
    });
    connect(actions_->redo, &QAction::triggered, this, [this] {
        if (!bench_->busy()) bench_->undoStack().redo();
    });
    connect(actions_->restoreLayout, &QAction::triggered, docks_, &DockArea::arrange);
    connect(actions_->themeSystem, &QAction::triggered, this, [this] { setThemeChoice(ThemeChoice::system); });
    connect(actions_->themeLight, &QAction::triggered, this, [this] { setThemeChoice(ThemeChoice::light); });
    connect(actions_->themeDark, &QAction::triggered, this, [this] { setThemeChoice(ThemeChoice::dark); });
    connect(actions_->reducedMotion, &QAction::toggled, docks_, &DockArea::setReducedMotion);
    actions_->reducedMotion->setChecked(remembered_.reduced_motion);
    connect(menu_, &WindowMenu::lessonAsked, this, [this](std::size_t i) {
        const Lesson* lesson = &options_.lessons.lessons[i];
        if (bench_->identity().lesson == lesson)  // the same from its beginning
            connect(
                bench_, &Workbench::opened, this,
                [this, lesson] {
                    if (bench_->identity().lesson == lesson)
                        column_->lesson()->setLesson(lesson, lesson != &options_.lessons.lessons.back());
                },
                Qt::SingleShotConnection);
        openLesson(*lesson);
    });
    connect(actions_->menu, &QAction::triggered, transport_, &TransportBar::showMenu);
    connect(actions_->keys, &QAction::triggered, this, [this] { showKeys(*actions_, this); });
    connect(actions_->about, &QAction::triggered, this,
            [this] { showAbout(QString::fromStdString(session_.live().device), this); });
}

void MainWindow::connectColumn() {
    connect(guide_, &LessonGuide::playAsked, this, &MainWindow::playOrPause);
    connect(guide_, &LessonGuide::lookAsked, docks_, &DockArea::pointAt);
    connect(guide_, &LessonGuide::measureAsked, device_, &DeviceControl::measure);
    connect(guide_, &LessonGuide::speedAsked, transport_, &TransportBar::setSpeed);
    connect(column_->lesson(), &LessonPanel::stepEntered, guide_, &LessonGuide::enter);
    connect(column_->lesson(), &LessonPanel::guessed, this, &MainWindow::toPicture);
    connect(column_->lesson(), &LessonPanel::actionAsked, guide_, &LessonGuide::carryOut);
    connect(column_->experiment(), &ExperimentPanel::changeAsked, this, [this] {
        column_->editor()->edit(presentExperiment(session_.live()), session_.corpus());
        column_->showEditor(true);
    });
    connect(column_->experiment(), &ExperimentPanel::ownTextAsked, models_, [this] { models_->ownText(); });
    connect(column_->editor(), &ExperimentEditor::closed, this, [this] {
        column_->showEditor(false);
        toPicture();
    });
    connect(column_->editor(), &ExperimentEditor::liveChanged, this,
            [this](const char* key, const QString&, const QString& after) { bench_->setLive(key, after); });
    connect(column_->editor(), &ExperimentEditor::restartAsked, this, [this](const Experiment& experiment) {
        bench_->restart(experiment, [this](const QString& error) {
            if (error.isEmpty())
                column_->showEditor(false);
            else
                column_->editor()->refuse(error);
        });
    });
    connect(column_->lesson(), &LessonPanel::nextLessonAsked, this, [this] {
        const auto& lessons = options_.lessons.lessons;
        const auto next = std::size_t(bench_->identity().lesson - lessons.data()) + 1;
        if (bench_->identity().lesson && next < lessons.size()) openLesson(lessons[next]);
    });
    connect(column_, &LeftColumn::lessonAsked, this, [this] { openFirstLesson(); });
}

void MainWindow::connectBench() {
    connect(&session_, &SessionController::valuesChanged, this, &MainWindow::showValues);
    connect(&session_, &SessionController::liveChanged, this, [this] {
        if (session_.lookedAt()) showValues();  // else it was just done
    });
    connect(&session_, &SessionController::structureChanged, this,
            [this] { column_->lesson()->setStructure(session_.sharedSnapshot()); });
    connect(&session_, &SessionController::momentChanged, this, [this] {
        if (shown_state_ == SessionState::finished) showState();
    });
    connect(bench_, &Workbench::identityChanged, this, &MainWindow::showIdentity);
    connect(bench_, &Workbench::refused, this,
            [this](const QString& sentence) { notice_->tell(Notice::Kind::refused, sentence); });
    connect(&session_, &SessionController::momentRefused, this,
            [this](const QString& sentence) { notice_->tell(Notice::Kind::refused, sentence); });
    connect(bench_, &Workbench::saved, this, [this](const QString& name) {
        notice_->tell(Notice::Kind::told, tr("Saved %1.").arg(name));
        setWindowModified(bench_->isChanged());
    });
    connect(bench_, &Workbench::told, this,
            [this](const QString& sentence) { notice_->tell(Notice::Kind::told, sentence); });
    connect(bench_, &Workbench::workChanged, this, [this] { setWindowModified(bench_->isChanged()); });
    connect(bench_, &Workbench::working, this, [this](const QString& what) {
        if (what.isEmpty())
            notice_->withdraw(Notice::Kind::working);
        else
            notice_->tell(Notice::Kind::working, what);
    });
    connect(bench_, &Workbench::opened, this, [this] {
        notice_->withdraw(Notice::Kind::refused);
        toPicture();
        if (column_->showsEditor()) column_->editor()->edit(presentExperiment(session_.live()), session_.corpus());
    });
    const auto undoTexts = [this] {
        const QUndoStack& stack = bench_->undoStack();
        actions_->undo->setEnabled(stack.canUndo());
        actions_->redo->setEnabled(stack.canRedo());
        actions_->undo->setText(stack.canUndo() ? tr("Undo %1").arg(stack.undoText()) : tr("Undo"));
        actions_->redo->setText(stack.canRedo() ? tr("Redo %1").arg(stack.redoText()) : tr("Redo"));
        if (notice_->kind() == Notice::Kind::failed) showState();  // its button says what it undoes
    };
    connect(&bench_->undoStack(), &QUndoStack::indexChanged, this, undoTexts);
    undoTexts();
}

void MainWindow::setThemeChoice(ThemeChoice choice) {
    theme_choice_ = choice;
    applyTheme();
}

void MainWindow::applyTheme() {
    const bool dark = theme_choice_ == ThemeChoice::dark || (theme_choice_ == ThemeChoice::system && desktopIsDark());
    Theme theme = dark ? Theme::darkTheme() : Theme::light();
    theme.scale = scaleFor(size());
    (theme_choice_ == ThemeChoice::system  ? actions_->themeSystem
     : theme_choice_ == ThemeChoice::light ? actions_->themeLight
                                           : actions_->themeDark)
        ->setChecked(true);
    if (theme == theme_) return;
    theme_ = theme;
    setFont(theme.font(13));
    setPalette(themePalette(theme));
    setStyleSheet(themeSheet(theme));
    transport_->setTheme(theme);
    column_->setTheme(theme);
    docks_->setTheme(theme);
    stepping_->setTheme(theme);
    exports_->setTheme(theme);
    time_->setTheme(theme);
    notice_->setTheme(theme);
}

void MainWindow::openFirstLesson(const QString& asked) {
    const auto& lessons = options_.lessons.lessons;
    for (const QString& problem : options_.lessons.problems) notice_->tell(Notice::Kind::refused, problem);
    for (const QString& id : {asked, remembered_.lesson})
        for (const Lesson& lesson : lessons)
            if (lesson.id == id) return openLesson(lesson);
    if (!lessons.empty()) openLesson(lessons.front());
}

void MainWindow::openPath(const std::filesystem::path& path) {
    models_->openPath(path);
}

void MainWindow::openLesson(const Lesson& lesson) {
    models_->beforeLeaving([this, &lesson] { bench_->openLesson(lesson); });
}

void MainWindow::playOrPause() {
    stepping_->leave();
    const SessionState state = session_.live().state;
    if (state == SessionState::running) return session_.pause();
    if (state == SessionState::empty) return;
    if (state == SessionState::finished && !session_.lookedAt()) return trainMore();
    bench_->train([this] { session_.play(); });
}

void MainWindow::trainMore() {
    session_.lookAtNow();
    session_.trainOn(session_.live().experiment.train.epochs);
}

void MainWindow::toPicture() {
    if (column_->showsEditor() && column_->editor()->isAncestorOf(focusWidget())) return;
    if (stepping_->active()) return stepping_->takeKeys();
    if (DockFrame* stage = docks_->stage()) stage->view()->setFocus();
}

void MainWindow::showValues() {
    const Snapshot& s = session_.live();
    transport_->showSnapshot(s);
    if (s.state != SessionState::empty && transport_->speed() != s.speed_limit && s.state != SessionState::running)
        transport_->setSpeed(s.speed_limit);
    column_->experiment()->showSnapshot(s);
    column_->lesson()->setValues(session_.sharedSnapshot());
    if (column_->showsEditor()) column_->editor()->follow(presentExperiment(s));
    // Each failure is another branch: a second one is said, too.
    if (s.state != shown_state_ || s.branch != shown_branch_) showState();
    setWindowModified(bench_->isChanged());
}

void MainWindow::showState() {
    const Snapshot& s = session_.live();
    shown_state_ = s.state;
    shown_branch_ = s.branch;
    const bool any = s.state != SessionState::empty;
    // From a moment of a finished run training goes on.
    const bool finished = s.state == SessionState::finished && !session_.lookedAt();
    column_->lesson()->setPlaying(s.state == SessionState::running);
    actions_->play->setEnabled(any);
    actions_->reset->setEnabled(any);
    const QString more = tr("Train %1 epochs more").arg(countText(s.experiment.train.epochs));
    actions_->play->setText(finished ? more : tr("Play or pause"));
    for (QAction* a : {actions_->save, actions_->saveAs, actions_->forKeras}) a->setEnabled(any);
    const QString epochs = countText(s.experiment.train.epochs);
    if (finished)
        transport_->offer(tr("Finished. Train %1 more").arg(epochs), tr("Train %1 more").arg(epochs));
    else
        transport_->offer({});
    if (s.state == SessionState::failed) {
        std::vector<Notice::Button> ways;
        if (bench_->undoStack().canUndo())
            ways.push_back({actions_->undo->text(), [this] { actions_->undo->trigger(); }});
        ways.push_back({tr("Reset"), [this] { actions_->reset->trigger(); }});
        notice_->tell(Notice::Kind::failed, QString::fromStdString(s.message), std::move(ways));
    } else {
        notice_->withdraw(Notice::Kind::failed);
    }
}

void MainWindow::showIdentity() {
    const RunIdentity& run = bench_->identity();
    const auto& lessons = options_.lessons.lessons;
    QString number, place;
    menu_->checkLesson(run.lesson);
    for (std::size_t i = 0; i < lessons.size(); ++i) {
        if (run.lesson != &lessons[i]) continue;
        number = QString::number(i + 1);
        place = tr("Lesson %1 of %2").arg(number, QString::number(lessons.size()));
        remembered_.lesson = lessons[i].id;
    }
    const QString title = shownText(run.title());
    if (number.isEmpty() && !title.isEmpty()) place = run.file.empty() ? tr("own text") : tr("model file");
    transport_->setHeading(run.file.empty() ? number : QString(), title, place);
    setWindowTitle(title.isEmpty() ? QStringLiteral("MoE Lab") : QStringLiteral("%1[*] – MoE Lab").arg(title));
    setWindowModified(bench_->isChanged());
    if (column_->lesson()->player().lesson() != run.lesson) {
        transport_->setSpeed(session_.live().speed_limit);
        column_->lesson()->setLesson(run.lesson, run.lesson && run.lesson != &lessons.back());
    }
    if (!run.lesson) docks_->pointAt({});
    column_->showRun(run.lesson ? QString() : shownText(run.name), session_.corpus().get(), session_.live());
}

WindowState MainWindow::presentState() const {
    WindowState state = remembered_;
    state.maximized = isMaximized();
    if (!isMaximized()) state.size = size();
    if (arranged_) state.arrangement = docks_->arrangement();
    state.theme = theme_choice_;
    state.reduced_motion = actions_->reducedMotion->isChecked();
    return state;
}

void MainWindow::keepState() {
    const WindowState state = presentState();
    if (state == kept_) return;
    state.write(options_.settings, &kept_);
    kept_ = state;
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!leaving_ && bench_->hasUnsavedWork()) {
        event->ignore();
        models_->beforeLeaving([this] {
            leaving_ = true;
            close();
        });
        return;
    }
    keepState();
    desk_->leaveInPeace();
    session_.pause();
    event->accept();
}

void MainWindow::resizeEvent(QResizeEvent* event) {
    QMainWindow::resizeEvent(event);
    if (!isVisible())
        applyTheme();
    else if (scaleFor(size()) != theme_.scale)
        rescale_.start();
}

void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (arranged_) return;
    arranged_ = true;
    // Only now do the docks have the size that the arrangement was kept for.
    docks_->restoreArrangement(remembered_.arrangement);
    // Only a moment later is the frame known that the desktop puts around the window.
    QTimer::singleShot(frame_pause, this, &MainWindow::fitScreen);
}

void MainWindow::fitScreen() {
    // A platform without a screen has one of 800x800 that no window of ours fits.
    if (isMaximized() || isFullScreen() || QGuiApplication::platformName() == QLatin1String("offscreen")) return;
    const QRect room = screen()->availableGeometry();
    const QSize fits = fittedSize(size(), frameGeometry().size() - size(), room.size());
    if (fits == size()) return;
    resize(fits);
    move(room.topLeft());
}

void MainWindow::changeEvent(QEvent* event) {
    QMainWindow::changeEvent(event);
    if (event->type() == QEvent::ApplicationPaletteChange && docks_) applyTheme();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (ModelActions::takes(*event->mimeData())) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    models_->drop(*event->mimeData());
}

void MainWindow::keyPressEvent(QKeyEvent* event) {
    DockFrame* stage = docks_->stage();
    if (event->key() == Qt::Key_Escape && stepping_->active())
        stepping_->leave();
    else if (event->key() == Qt::Key_Escape && stage)
        stage->view()->setFocus();
    else
        QMainWindow::keyPressEvent(event);
}

}  // namespace moe::app
