#include "app/shell/dock_area.h"

#include "app/shell/style.h"

#include <QMenu>
#include <QMouseEvent>
#include <QScopedValueRollback>
#include <QTabBar>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr int arrangement_version = 1;
constexpr double margin = 16, right_width = 272, guest_width = 336, below_height = 148, time_height = 72;
constexpr double wide_enough_for_three = 1150;
// Of the right column's height, from the top: load, loss, accuracy as in the design.
constexpr double right_shares[] = {180, 200, 150};

}  // namespace

DockArea::DockArea(SessionController& session, QWidget* parent) : QMainWindow(parent) {
    setWindowFlags(Qt::Widget);
    setRole(this, "docks");
    setDockOptions(AllowNestedDocks | AllowTabbedDocks | AnimatedDocks);
    setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    setContextMenuPolicy(Qt::DefaultContextMenu);
    for (const ViewInfo& info : views()) {
        auto* frame = new DockFrame(info, session, this);
        docks_.push_back(frame);
        const auto moved = [this] {
            if (!arranging_) rearranged_ = true;
        };
        connect(frame, &QDockWidget::dockLocationChanged, this, moved);
        connect(frame, &QDockWidget::topLevelChanged, this, moved);
        connect(frame->toggleViewAction(), &QAction::triggered, this, [this, frame, moved](bool on) {
            if (frame->openAtFirst())
                moved();
            else
                setOpen(frame, on);
        });
    }
    arrange();
}

std::vector<QDockWidget*> DockArea::of(ViewArea area) const {
    std::vector<QDockWidget*> found;
    for (DockFrame* d : docks_)
        if (d->area() == area && d->openAtFirst()) found.push_back(d);
    return found;
}

// Those that are open though they are closed at first.
std::vector<DockFrame*> DockArea::guests() const {
    std::vector<DockFrame*> found;
    for (DockFrame* d : docks_)
        if (!d->openAtFirst() && !d->isHidden()) found.push_back(d);
    return found;
}

void DockArea::setOpen(DockFrame* frame, bool on) {
    if (!on) {
        frame->hide();
        if (rearranged_) return;
        // What was in front of the others in its place stays there.
        std::vector<DockFrame*> in_front;
        for (DockFrame* d : docks_)
            if (d != frame && d->area() != frame->area() && !tabifiedDockWidgets(d).isEmpty() &&
                !d->visibleRegion().isEmpty())
                in_front.push_back(d);
        arrange();
        for (DockFrame* d : in_front) d->raise();
        return;
    }
    takePlace(frame);
    frame->show();
    frame->raise();
    if (!rearranged_) proportion();
}

void DockArea::takePlace(DockFrame* frame) {
    const QScopedValueRollback busy(arranging_, true);
    if (frame->isFloating() || !tabifiedDockWidgets(frame).isEmpty()) return;
    std::vector<QDockWidget*> others;
    for (QDockWidget* d : of(frame->area()))
        if (!d->isHidden() && !d->isFloating()) others.push_back(d);
    if (others.empty()) {
        addDockWidget(Qt::RightDockWidgetArea, frame);
        return;
    }
    // What a person has moved stays where it is.
    if (!rearranged_)
        for (std::size_t i = 1; i < others.size(); ++i) tabifyDockWidget(others[i - 1], others[i]);
    const auto tallest =
        std::max_element(others.begin(), others.end(), [](auto* a, auto* b) { return a->height() < b->height(); });
    tabifyDockWidget(rearranged_ ? *tallest : others.back(), frame);
}

DockFrame* DockArea::dock(const QString& id) const {
    const auto it = std::find_if(docks_.begin(), docks_.end(), [&](DockFrame* d) { return d->objectName() == id; });
    return it == docks_.end() ? nullptr : *it;
}

DockFrame* DockArea::stage() const {
    const auto it =
        std::find_if(docks_.begin(), docks_.end(), [](DockFrame* d) { return d->area() == ViewArea::stage; });
    return it == docks_.end() ? nullptr : *it;
}

std::size_t DockArea::besideEachOther() const {
    return width() >= theme_.px(wide_enough_for_three) ? 3 : 2;
}

void DockArea::setReducedMotion(bool reduced) {
    for (DockFrame* d : docks_)
        if (d->view()->metaObject()->indexOfProperty("reducedMotion") >= 0)
            d->view()->setProperty("reducedMotion", reduced);
}

void DockArea::arrange() {
    if (docks_.empty()) return;
    beside_ = besideEachOther();
    const QScopedValueRollback busy(arranging_, true);
    for (DockFrame* d : docks_) {
        d->setFloating(false);
        removeDockWidget(d);
    }
    const auto stage = of(ViewArea::stage), right = of(ViewArea::right), below = of(ViewArea::below),
               time = of(ViewArea::time);
    QDockWidget* anchor = nullptr;
    const auto place = [&](QDockWidget* dock, QDockWidget* beside, Qt::Orientation way) {
        if (beside)
            splitDockWidget(beside, dock, way);
        else
            addDockWidget(Qt::LeftDockWidgetArea, anchor = dock);
        dock->show();
    };
    for (QDockWidget* d : stage) place(d, anchor, Qt::Vertical);
    for (QDockWidget* d : time) place(d, anchor, Qt::Vertical);
    for (std::size_t i = 0; i < right.size(); ++i)
        place(right[i], i ? right[i - 1] : anchor, i ? Qt::Vertical : Qt::Horizontal);
    for (std::size_t i = 0; i < below.size(); ++i) {
        if (i < beside_) {
            place(below[i], i ? below[i - 1] : anchor, i ? Qt::Horizontal : Qt::Vertical);
        } else {
            tabifyDockWidget(below[beside_ - 1], below[i]);
            below[i]->show();
        }
    }
    if (below.size() > beside_) below[beside_ - 1]->raise();
    rearranged_ = false;
    proportion();
}

void DockArea::proportion() {
    const QScopedValueRollback busy(arranging_, true);
    const auto px = [this](double v) { return int(std::lround(theme_.px(v))); };
    const auto right = of(ViewArea::right), below = of(ViewArea::below), time = of(ViewArea::time);
    const auto stage = of(ViewArea::stage);
    const bool shared = !guests().empty();
    const double side = shared ? guest_width : right_width;
    const int inner_width = width() - 2 * px(margin), inner_height = height() - 2 * px(margin);
    if (inner_width < px(2 * right_width) || inner_height < px(2 * below_height)) return;  // not laid out yet
    const int gap = px(margin), upper = inner_height - px(time_height) - gap;
    if (!time.empty() && !stage.empty())
        resizeDocks({stage.front(), time.front()}, {upper, px(time_height)}, Qt::Vertical);
    if (!right.empty() && !stage.empty())
        resizeDocks({stage.front(), right.front()}, {inner_width - px(side) - gap, px(side)}, Qt::Horizontal);
    if (!below.empty() && !stage.empty())
        resizeDocks({stage.front(), below.front()}, {upper - px(below_height) - gap, px(below_height)}, Qt::Vertical);
    if (const std::size_t columns = std::min(beside_, below.size()); columns > 1) {
        QList<QDockWidget*> docks;
        for (std::size_t i = 0; i < columns; ++i) docks << below[i];
        const int room = inner_width - px(side) - gap * int(columns);
        resizeDocks(docks, QList<int>(qsizetype(columns), room / int(columns)), Qt::Horizontal);
    }
    if (right.size() > 1 && !shared) {
        QList<QDockWidget*> docks;
        QList<int> heights;
        for (std::size_t i = 0; i < right.size(); ++i) {
            docks << right[i];
            heights << int(upper * right_shares[std::min<std::size_t>(i, 2)] / 530);
        }
        resizeDocks(docks, heights, Qt::Vertical);
    }
}

void DockArea::setTheme(const Theme& theme) {
    theme_ = theme;
    const int m = int(std::lround(theme.px(margin)));
    setContentsMargins(m, m, m, m);
    for (DockFrame* d : docks_) d->setTheme(theme);
    if (!rearranged_) proportion();
}

QByteArray DockArea::arrangement() const {
    return rearranged_ ? saveState(arrangement_version) : QByteArray();
}

bool DockArea::restoreArrangement(const QByteArray& state) {
    if (!state.isEmpty()) {
        const QScopedValueRollback busy(arranging_, true);
        if (restoreState(state, arrangement_version)) {
            rearranged_ = true;
            return true;
        }
    }
    arrange();
    return state.isEmpty();
}

void DockArea::setLayout(const DockLayout& layout) {
    const QScopedValueRollback busy(arranging_, true);
    if (layout.apply(*this))
        rearranged_ = true;
    else
        arrange();
}

void DockArea::pointAt(const QStringList& ids) {
    for (DockFrame* d : docks_) {
        const bool on = ids.contains(d->objectName());
        d->setPointedAt(on);
        if (on && !d->openAtFirst() && d->isHidden()) setOpen(d, true);
        if (on && !tabifiedDockWidgets(d).isEmpty()) d->raise();  // from behind another one in its place
    }
}

bool DockArea::event(QEvent* event) {
    // A separator that is dragged is this window's own mouse move; from then on the sizes are the user's.
    if (event->type() == QEvent::MouseMove && static_cast<QMouseEvent*>(event)->buttons() & Qt::LeftButton)
        rearranged_ = true;
    // Tab bars that are used again get a line in the style's own colour.
    if (event->type() == QEvent::LayoutRequest)
        for (QTabBar* bar : findChildren<QTabBar*>())
            if (bar->drawBase()) bar->setDrawBase(false);
    return QMainWindow::event(event);
}

void DockArea::resizeEvent(QResizeEvent* event) {
    QMainWindow::resizeEvent(event);
    if (rearranged_) return;
    if (beside_ == besideEachOther()) return proportion();
    const std::vector<DockFrame*> open = guests();
    arrange();
    for (DockFrame* d : open) setOpen(d, true);
}

QMenu* DockArea::createPopupMenu() {
    auto* menu = new QMenu(this);
    for (DockFrame* d : docks_)
        if (d->area() != ViewArea::stage) menu->addAction(d->toggleViewAction());
    return menu;
}

}  // namespace moe::app
