#include "app/shell/window_menu.h"

#include "app/shell/dock_area.h"
#include "app/shell/window_actions.h"

namespace moe::app {

WindowMenu::WindowMenu(const WindowActions& actions, const LessonList& lessons, QWidget* parent)
    : QMenu(parent), lessons_(lessons) {
    QMenu* file = addMenu(tr("File"));
    for (QAction* a : {actions.newWindow, actions.open}) file->addAction(a);
    recent_ = file->addMenu(tr("Open recent"));
    for (QAction* a : {actions.save, actions.saveAs, actions.notes, actions.ownText, actions.exporting,
                       actions.animating, actions.forKeras})
        file->addAction(a);
    file->addSeparator();
    file->addAction(actions.quit);
    QMenu* edit = addMenu(tr("Edit"));
    for (QAction* a : {actions.undo, actions.redo, actions.paste}) edit->addAction(a);
    edit->addSeparator();
    for (QAction* a : {actions.goToStep, actions.backToNow}) edit->addAction(a);
    lessons_menu_ = addMenu(tr("Lessons"));
    for (std::size_t i = 0; i < lessons_.lessons.size(); ++i) {
        const Lesson& lesson = lessons_.lessons[i];
        QString title = lesson.title;
        QAction* a = lessons_menu_->addAction(
            QStringLiteral("%1  %2").arg(QString::number(i + 1), title.replace(u'&', QStringLiteral("&&"))));
        a->setCheckable(true);
        connect(a, &QAction::triggered, this, [this, i] { Q_EMIT lessonAsked(i); });
    }
    QMenu* view = addMenu(tr("View"));
    // Docks come and go by their own actions; the list is made when it is looked at.
    connect(view, &QMenu::aboutToShow, this, [this, view, &actions] {
        if (!docks_) return;
        view->clear();
        view->addAction(actions.stepThrough);
        view->addSeparator();
        for (DockFrame* d : docks_->docks())
            if (d->area() != ViewArea::stage) view->addAction(d->toggleViewAction());
        view->addSeparator();
        view->addAction(actions.restoreLayout);
        view->addAction(actions.sessionLayout);
        view->addSeparator();
        for (QAction* a : {actions.themeSystem, actions.themeLight, actions.themeDark}) view->addAction(a);
        view->addSeparator();
        view->addAction(actions.reducedMotion);
    });
    QMenu* help = addMenu(tr("Help"));
    help->addAction(actions.keys);
    help->addAction(actions.about);
}

void WindowMenu::checkLesson(const Lesson* lesson) {
    for (std::size_t i = 0; i < lessons_.lessons.size(); ++i)
        lessons_menu_->actions()[qsizetype(i)]->setChecked(lesson == &lessons_.lessons[i]);
}

}  // namespace moe::app
