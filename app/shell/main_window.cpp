#include "app/shell/main_window.h"

#include "app/models/experiment_draft.h"
#include "app/models/text_format.h"
#include "app/shell/dock_area.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/export_dialog.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notice.h"
#include "app/shell/style.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"

#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QMenu>
#include <QMessageBox>
#include <QMimeData>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr int rescale_pause = 60;  // milliseconds after the last change of size
constexpr int least_width = 1160, least_height = 640;

}  // namespace

MainWindow::MainWindow(WindowOptions options, QWidget* parent)
    : QMainWindow(parent),
      options_(std::move(options)),
      remembered_(WindowState::read(options_.settings)),
      session_(options_.session),
      bench_(new Workbench(session_, this)),
      actions_(new WindowActions(this)),
      models_(new ModelActions(*bench_, options_.session, this)),
      theme_choice_(remembered_.theme) {
    setAcceptDrops(true);
    setMinimumSize(least_width, least_height);
    resize(remembered_.size);
    build();
    applyTheme();
    connectTransport();
    connectColumn();
    connectBench();
    rescale_.setSingleShot(true);
    rescale_.setInterval(rescale_pause);
    connect(&rescale_, &QTimer::timeout, this, &MainWindow::applyTheme);
    if (remembered_.maximized) setWindowState(Qt::WindowMaximized);
    showIdentity();
    showState();
}

MainWindow::~MainWindow() = default;

void MainWindow::build() {
    auto* page = new QWidget(this);
    setRole(page, "page");
    transport_ = new TransportBar(
        {actions_->reset, actions_->play, actions_->batch, actions_->epoch, actions_->exporting, buildMenu()}, page);
    column_ = new LeftColumn(page);
    docks_ = new DockArea(session_, page);
    notice_ = new Notice(docks_);
    auto* rows = new QVBoxLayout(page);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->setSpacing(0);
    rows->addWidget(transport_);
    auto* row = new QHBoxLayout;
    row->setSpacing(0);
    row->addWidget(column_);
    row->addWidget(docks_, 1);
    rows->addLayout(row, 1);
    setCentralWidget(page);
    if (DockFrame* stage = docks_->stage()) {
        if (stage->view()->focusPolicy() == Qt::NoFocus) stage->view()->setFocusPolicy(Qt::StrongFocus);
        stage->view()->setFocus();
    }
}

QMenu* MainWindow::buildMenu() {
    auto* menu = new QMenu(this);
    QMenu* file = menu->addMenu(tr("File"));
    for (QAction* a : {actions_->open, actions_->save, actions_->saveAs, actions_->ownText, actions_->exporting})
        file->addAction(a);
    file->addSeparator();
    file->addAction(actions_->quit);
    QMenu* edit = menu->addMenu(tr("Edit"));
    for (QAction* a : {actions_->undo, actions_->redo, actions_->paste}) edit->addAction(a);
    lessons_menu_ = menu->addMenu(tr("Lessons"));
    for (std::size_t i = 0; i < options_.lessons.lessons.size(); ++i) {
        const Lesson& lesson = options_.lessons.lessons[i];
        QString title = lesson.title;
        QAction* a = lessons_menu_->addAction(
            QStringLiteral("%1  %2").arg(QString::number(i + 1), title.replace(u'&', QStringLiteral("&&"))));
        a->setCheckable(true);
        connect(a, &QAction::triggered, this, [this, i] { openLesson(options_.lessons.lessons[i]); });
    }
    QMenu* view = menu->addMenu(tr("View"));
    // Docks come and go by their own actions; the list is made when it is looked at.
    connect(view, &QMenu::aboutToShow, this, [this, view] {
        view->clear();
        for (DockFrame* d : docks_->docks())
            if (d->area() != ViewArea::stage) view->addAction(d->toggleViewAction());
        view->addSeparator();
        view->addAction(actions_->restoreLayout);
        view->addSeparator();
        for (QAction* a : {actions_->themeSystem, actions_->themeLight, actions_->themeDark}) view->addAction(a);
    });
    QMenu* help = menu->addMenu(tr("Help"));
    help->addAction(actions_->keys);
    help->addAction(actions_->about);
    return menu;
}

void MainWindow::connectTransport() {
    connect(actions_->play, &QAction::triggered, this, &MainWindow::playOrPause);
    connect(actions_->batch, &QAction::triggered, this, [this] {
        // Single batches add up; an epoch or a run under way is not broken off by one.
        if (session_.snapshot().state == SessionState::running && !single_batches_) return;
        single_batches_ = true;
        session_.runSteps(1);
    });
    connect(actions_->epoch, &QAction::triggered, this, [this] {
        single_batches_ = false;
        session_.runEpochs(1);
    });
    connect(actions_->reset, &QAction::triggered, bench_, &Workbench::reset);
    connect(transport_, &TransportBar::speedChanged, &session_, &SessionController::setSpeed);
    connect(transport_, &TransportBar::offerTaken, this, &MainWindow::trainMore);
    connect(transport_, &TransportBar::seedEntered, this, [this](quint64 seed) {
        Experiment experiment = presentExperiment(session_.snapshot());
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
    connect(actions_->open, &QAction::triggered, models_, [this] { models_->open(); });
    connect(actions_->save, &QAction::triggered, models_, [this] { models_->save(); });
    connect(actions_->saveAs, &QAction::triggered, models_, [this] { models_->saveAs(); });
    connect(actions_->ownText, &QAction::triggered, models_, [this] { models_->ownText(); });
    connect(actions_->exporting, &QAction::triggered, this, [this] {
        // The text's name as people know it: a lesson's own text is always corpus.txt.
        QString corpus = session_.corpus() ? QString::fromStdString(session_.corpus()->name()) : QString();
        if (const Lesson* lesson = bench_->identity().lesson) corpus = lesson->title;
        auto* dialog = new ExportDialog(session_.sharedSnapshot(), corpus, theme_, bench_->background(), this);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->open();
    });
    connect(actions_->paste, &QAction::triggered, models_,
            [this] { models_->ownText(QApplication::clipboard()->text()); });
    connect(actions_->quit, &QAction::triggered, this, &QWidget::close);
    connect(actions_->undo, &QAction::triggered, this, [this] {
        if (bench_->busy()) return;
        notice_->withdraw(Notice::Kind::failed);
        bench_->undoStack().undo();
    });
    connect(actions_->redo, &QAction::triggered, this, [this] {
        if (!bench_->busy()) bench_->undoStack().redo();
    });
    connect(actions_->restoreLayout, &QAction::triggered, docks_, &DockArea::arrange);
    connect(actions_->themeSystem, &QAction::triggered, this, [this] { setThemeChoice(ThemeChoice::system); });
    connect(actions_->themeLight, &QAction::triggered, this, [this] { setThemeChoice(ThemeChoice::light); });
    connect(actions_->themeDark, &QAction::triggered, this, [this] { setThemeChoice(ThemeChoice::dark); });
    connect(actions_->keys, &QAction::triggered, this, &MainWindow::showKeys);
    connect(actions_->about, &QAction::triggered, this, &MainWindow::showAbout);
}

void MainWindow::connectColumn() {
    connect(column_->lesson(), &LessonPanel::stepEntered, this, &MainWindow::enterStep);
    connect(column_->lesson(), &LessonPanel::actionAsked, this, &MainWindow::doAction);
    connect(column_->experiment(), &ExperimentPanel::changeAsked, this, [this] {
        column_->editor()->edit(presentExperiment(session_.snapshot()), session_.corpus());
        column_->showEditor(true);
    });
    connect(column_->experiment(), &ExperimentPanel::ownTextAsked, models_, [this] { models_->ownText(); });
    connect(column_->editor(), &ExperimentEditor::closed, this, [this] { column_->showEditor(false); });
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
    connect(&session_, &SessionController::structureChanged, this,
            [this] { column_->lesson()->setStructure(session_.sharedSnapshot()); });
    connect(bench_, &Workbench::identityChanged, this, &MainWindow::showIdentity);
    connect(bench_, &Workbench::refused, this,
            [this](const QString& sentence) { notice_->tell(Notice::Kind::refused, sentence); });
    connect(bench_, &Workbench::saved, this,
            [this](const QString& name) { notice_->tell(Notice::Kind::told, tr("Saved %1.").arg(name)); });
    connect(bench_, &Workbench::working, this, [this](const QString& what) {
        if (what.isEmpty())
            notice_->withdraw(Notice::Kind::working);
        else
            notice_->tell(Notice::Kind::working, what);
    });
    connect(bench_, &Workbench::opened, this, [this] {
        notice_->withdraw(Notice::Kind::refused);
        if (DockFrame* stage = docks_->stage(); stage && !column_->showsEditor()) stage->view()->setFocus();
        if (column_->showsEditor()) column_->editor()->edit(presentExperiment(session_.snapshot()), session_.corpus());
    });
    const auto undoTexts = [this] {
        const QUndoStack& stack = bench_->undoStack();
        actions_->undo->setEnabled(stack.canUndo());
        actions_->redo->setEnabled(stack.canRedo());
        actions_->undo->setText(stack.canUndo() ? tr("Undo %1").arg(stack.undoText()) : tr("Undo"));
        actions_->redo->setText(stack.canRedo() ? tr("Redo %1").arg(stack.redoText()) : tr("Redo"));
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
    single_batches_ = false;
    switch (session_.snapshot().state) {
        case SessionState::running:
            session_.pause();
            break;
        case SessionState::finished:
            trainMore();
            break;
        case SessionState::empty:
            break;
        default:
            session_.play();
    }
}

void MainWindow::trainMore() {
    session_.trainOn(session_.snapshot().experiment.train.epochs);
}

void MainWindow::enterStep(const LessonStep& step) {
    if (!step.phrase.isEmpty() && step.phrase != session_.probeText())
        bench_->setProbeQuietly(step.phrase, std::size_t(std::max(0, step.focus)));
    else if (step.focus >= 0)
        session_.setFocusedPrefix(std::size_t(step.focus));
    docks_->pointAt(step.look);
}

void MainWindow::doAction(const LessonAction& action) {
    switch (action.kind) {
        case LessonAction::Kind::play:
            if (session_.snapshot().state != SessionState::running) playOrPause();
            break;
        case LessonAction::Kind::pause:
            session_.pause();
            break;
        case LessonAction::Kind::batch:
            session_.runSteps(1);
            break;
        case LessonAction::Kind::epochs:
            if (session_.snapshot().state == SessionState::finished)
                session_.trainOn(std::uint64_t(action.number));
            else
                session_.runEpochs(std::uint64_t(action.number));
            break;
        case LessonAction::Kind::reset:
            bench_->reset();
            break;
        case LessonAction::Kind::set:
            bench_->applySettings(action.settings);
            break;
        case LessonAction::Kind::probe:
            session_.setProbe(action.text, max_sequence_length - 1);  // the whole phrase
            break;
        case LessonAction::Kind::speed:
            transport_->setSpeed(action.number);
            session_.setSpeed(action.number);
            break;
    }
}

void MainWindow::showValues() {
    const Snapshot& s = session_.snapshot();
    transport_->showSnapshot(s);
    if (s.state != SessionState::empty && transport_->speed() != s.speed_limit && s.state != SessionState::running)
        transport_->setSpeed(s.speed_limit);
    column_->experiment()->showSnapshot(s);
    column_->lesson()->setValues(session_.sharedSnapshot());
    if (column_->showsEditor()) column_->editor()->follow(presentExperiment(s));
    if (s.state != shown_state_) showState();
    setWindowModified(bench_->hasUnsavedTraining());
}

void MainWindow::showState() {
    const Snapshot& s = session_.snapshot();
    shown_state_ = s.state;
    const bool any = s.state != SessionState::empty, finished = s.state == SessionState::finished;
    actions_->play->setEnabled(any);
    actions_->reset->setEnabled(any);
    const QString more = tr("Train %1 epochs more").arg(countText(s.experiment.train.epochs));
    actions_->play->setText(finished ? more : tr("Play or pause"));
    for (QAction* a : {actions_->batch, actions_->epoch}) a->setEnabled(any && !finished);
    for (QAction* a : {actions_->save, actions_->saveAs}) a->setEnabled(any);
    transport_->offer(finished ? tr("Finished. Train %1 more").arg(countText(s.experiment.train.epochs)) : QString());
    if (s.state == SessionState::failed) {
        std::vector<Notice::Button> ways;
        if (bench_->undoStack().canUndo()) ways.push_back({tr("Undo"), [this] { actions_->undo->trigger(); }});
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
    for (std::size_t i = 0; i < lessons.size(); ++i) {
        const bool here = run.lesson == &lessons[i];
        lessons_menu_->actions()[qsizetype(i)]->setChecked(here);
        if (!here) continue;
        number = QString::number(i + 1);
        place = tr("Lesson %1 of %2").arg(number, QString::number(lessons.size()));
        remembered_.lesson = lessons[i].id;
    }
    if (number.isEmpty() && !run.name.isEmpty()) place = run.file.empty() ? tr("own text") : tr("model file");
    transport_->setHeading(number, shownText(run.name), place);
    setWindowTitle(run.name.isEmpty() ? QStringLiteral("MoE Lab")
                                      : QStringLiteral("%1[*] – MoE Lab").arg(shownText(run.name)));
    if (column_->lesson()->player().lesson() != run.lesson) {
        transport_->setSpeed(session_.snapshot().speed_limit);
        column_->lesson()->setLesson(run.lesson, run.lesson && run.lesson != &lessons.back());
    }
    if (!run.lesson) docks_->pointAt({});
    column_->showRun(run.lesson ? QString() : shownText(run.name), session_.corpus().get(), session_.snapshot());
}

void MainWindow::showKeys() {
    auto* box = new QMessageBox(this);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(tr("Keys"));
    box->setTextFormat(Qt::PlainText);
    box->setText(actions_->keyList() + tr("In a text field these are ordinary keys; Esc goes back to the picture."));
    box->open();
}

void MainWindow::showAbout() {
    auto* box = new QMessageBox(this);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(tr("About MoE Lab"));
    box->setTextFormat(Qt::PlainText);
    box->setText(
        tr("MoE Lab %1\n\nA laboratory in which a class watches a mixture of experts learn.\n\nComputes on %2.\n"
           "Qt %3 with Qt Charts.\n\nThe program is free software: GPL-3.0-or-later; its engine by itself: MIT; "
           "lesson texts: CC BY-SA 4.0.")
            .arg(QStringLiteral(MOELAB_VERSION), QString::fromStdString(session_.snapshot().device),
                 QString::fromLatin1(qVersion())));
    box->open();
}

WindowState MainWindow::presentState() const {
    WindowState state = remembered_;
    state.maximized = isMaximized();
    if (!isMaximized()) state.size = size();
    state.arrangement = docks_->arrangement();
    state.theme = theme_choice_;
    return state;
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!leaving_ && bench_->hasUnsavedTraining()) {
        event->ignore();
        models_->beforeLeaving([this] {
            leaving_ = true;
            close();
        });
        return;
    }
    presentState().write(options_.settings);
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
    if (event->key() == Qt::Key_Escape && stage)
        stage->view()->setFocus();
    else
        QMainWindow::keyPressEvent(event);
}

}  // namespace moe::app
