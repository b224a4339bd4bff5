#include "app/shell/export_actions.h"

#include "app/shell/animation_dialog.h"
#include "app/shell/dock_area.h"
#include "app/shell/export_dialog.h"
#include "app/shell/figure_sources.h"
#include "app/shell/notice.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"

#include <QApplication>
#include <QMenu>

#include <algorithm>

namespace moe::app {

ExportActions::ExportActions(Workbench& bench, DockArea& docks, Notice& notice, const WindowActions& actions,
                             QWidget* window)
    : QObject(window), bench_(bench), docks_(docks), notice_(notice), window_(window) {
    connect(actions.exporting, &QAction::triggered, this, [this] { exportView({}); });
    connect(actions.animating, &QAction::triggered, this, [this] { animate({}); });
    for (DockFrame* dock : docks_.docks())
        connect(dock, &DockFrame::menuAsked, this, [this, dock](QMenu* menu) { fillMenu(dock, menu); });
}

void ExportActions::fillMenu(DockFrame* dock, QMenu* menu) {
    const QString id = dock->objectName();
    const QList<QAction*> own = menu->actions();
    QAction* before = own.isEmpty() ? nullptr : own.front();
    const auto add = [&](const QString& text, auto act) {
        auto* action = new QAction(text, menu);
        connect(action, &QAction::triggered, this, act);
        menu->insertAction(before, action);
    };
    add(tr("Export…"), [this, id] { exportView(id); });
    add(tr("Copy picture"), [this, id] { copy(id, FigureFormat::png); });
    add(tr("Copy numbers"), [this, id] { copy(id, FigureFormat::csv); });
    if (before) menu->insertSeparator(before);
}

QString ExportActions::viewLookedAt() const {
    const auto& docks = docks_.docks();
    const auto visible = [](const DockFrame* d) { return d->isVisible() && !d->visibleRegion().isEmpty(); };
    for (const DockFrame* dock : docks)
        if (visible(dock) && dock->rect().contains(dock->mapFromGlobal(QCursor::pos())) && dock->underMouse())
            return dock->objectName();
    for (const DockFrame* dock : docks)
        if (const QWidget* focus = QApplication::focusWidget(); focus && dock->isAncestorOf(focus))
            return dock->objectName();
    return docks_.stage() ? docks_.stage()->objectName() : QString();
}

FigureOptions ExportActions::options() const {
    FigureOptions options;
    // The text's name as people know it: a lesson's own text is always corpus.txt.
    const auto corpus = bench_.session().corpus();
    if (corpus) options.corpusName = QString::fromStdString(corpus->name());
    if (const Lesson* lesson = bench_.identity().lesson) options.corpusName = lesson->title;
    const std::optional<std::size_t> expert = bench_.session().focusedExpert();
    options.stage = [expert](const Snapshot& s, const Theme& theme) { return stagePicture(s, theme, expert); };
    return options;
}

std::vector<FigureSource> ExportActions::sources() const {
    std::vector<FigureSource> sources;
    if (further_) sources = further_(theme_);
    for (const DockFrame* dock : docks_.docks()) {
        const auto kinds = figureKinds();
        const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                       [&](FigureKind k) { return FigureSource(k).id == dock->objectName(); });
        if (kind != kinds.end())
            sources.emplace_back(*kind);
        else
            sources.push_back(viewSource(dock->objectName(), *dock->view()));
    }
    return sources;
}

ExportDialog* ExportActions::exportView(const QString& id) {
    if (dialog_) return dialog_;
    std::vector<FigureSource> all = sources();
    const bool looked_at = !all.empty() && further_ && !further_(theme_).empty();
    const QString wanted = !id.isEmpty() ? id : looked_at ? all.front().id : viewLookedAt();
    dialog_ = new ExportDialog(std::move(all), bench_.session().sharedSnapshot(), options(), theme_,
                               bench_.background(), window_);
    dialog_->setAttribute(Qt::WA_DeleteOnClose);
    dialog_->choose(wanted, FigureFormat::png, 2);
    connect(dialog_, &ExportDialog::animationAsked, this, [this](const QString& view) {
        dialog_->close();
        animate(view);
    });
    dialog_->open();
    return dialog_;
}

AnimationDialog* ExportActions::animate(const QString& id) {
    if (!animation_) {
        const QString first = id.isEmpty() && docks_.stage() ? docks_.stage()->objectName() : id;
        animation_ =
            new AnimationDialog(sources(), options(), first, bench_.session(), theme_, bench_.background(), window_);
        animation_->setAttribute(Qt::WA_DeleteOnClose);
    } else {
        animation_->follow();
    }
    // Beside the window, not over it: the lesson goes on while the frames are made.
    animation_->show();
    animation_->raise();
    animation_->activateWindow();
    return animation_;
}

void ExportActions::copy(const QString& id, FigureFormat format) {
    FigureOptions chosen = options();
    chosen.format = format;
    chosen.scale = 2;
    const auto all = sources();
    const auto source = std::find_if(all.begin(), all.end(), [&](const FigureSource& s) { return s.id == id; });
    if (source == all.end()) return;
    const QPointer<ExportActions> here = this;
    const auto snapshot = bench_.session().sharedSnapshot();
    bench_.background().run(
        [here, source = *source, snapshot, chosen]() -> Background::Finish {
            const QByteArray bytes = renderFigure(source, *snapshot, chosen);
            return [here, bytes, chosen, name = source.name] {
                toClipboard(chosen.format, bytes);
                const bool numbers = chosen.format == FigureFormat::csv;
                if (here)
                    here->notice_.tell(
                        Notice::Kind::told,
                        (numbers ? tr("Copied the numbers of: %1.") : tr("Copied the picture of: %1.")).arg(name));
            };
        },
        [here](const QString& sentence) {
            if (here) here->notice_.tell(Notice::Kind::refused, sentence);
        });
}

}  // namespace moe::app
