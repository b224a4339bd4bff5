#include "app/shell/dock_layout.h"

#include "app/shell/dock_area.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSet>

#include <algorithm>

namespace moe::app {

namespace {

constexpr int largest_side = 16384, most_cells = 64, tolerance = 3;  // pixels

/// A cell, or two parts beside or above each other.
struct Part {
    std::vector<const DockLayout::Cell*> cells;
    Qt::Orientation way = Qt::Horizontal;
    std::vector<Part> parts;

    const DockLayout::Cell* first() const { return parts.empty() ? cells.front() : parts.front().first(); }
    QRect place() const {
        QRect all;
        for (const DockLayout::Cell* c : cells) all |= c->place;
        return all;
    }
};

/// Cuts right through, as splitters do; cells that no line parts are stacked.
Part cut(std::vector<const DockLayout::Cell*> cells) {
    Part part{std::move(cells), Qt::Horizontal, {}};
    if (part.cells.size() < 2) return part;
    for (const Qt::Orientation way : {Qt::Horizontal, Qt::Vertical}) {
        const auto start = [way](const DockLayout::Cell* c) {
            return way == Qt::Horizontal ? c->place.left() : c->place.top();
        };
        const auto end = [way](const DockLayout::Cell* c) {
            return way == Qt::Horizontal ? c->place.right() : c->place.bottom();
        };
        std::vector<const DockLayout::Cell*> sorted = part.cells;
        std::ranges::stable_sort(sorted, {}, start);
        int reached = end(sorted.front());
        for (std::size_t i = 1; i < sorted.size(); ++i) {
            if (start(sorted[i]) + tolerance >= reached) {
                part.way = way;
                part.parts = {cut({sorted.begin(), sorted.begin() + std::ptrdiff_t(i)}),
                              cut({sorted.begin() + std::ptrdiff_t(i), sorted.end()})};
                return part;
            }
            reached = std::max(reached, end(sorted[i]));
        }
    }
    part.way = Qt::Vertical;
    part.parts = {cut({part.cells.front()}), cut({part.cells.begin() + 1, part.cells.end()})};
    return part;
}

QDockWidget* dockOf(const DockArea& area, const DockLayout::Cell* cell) {
    return area.dock(cell->docks.front());
}

/// The part's first dock stands in its place already.
void split(DockArea& area, const Part& part) {
    if (part.parts.empty()) return;
    QDockWidget *a = dockOf(area, part.parts[0].first()), *b = dockOf(area, part.parts[1].first());
    area.splitDockWidget(a, b, part.way);
    b->show();
    for (const Part& p : part.parts) split(area, p);
}

void resize(DockArea& area, const Part& part) {
    if (part.parts.empty()) return;
    const auto length = [&](const Part& p) {
        return part.way == Qt::Horizontal ? p.place().width() : p.place().height();
    };
    area.resizeDocks({dockOf(area, part.parts[0].first()), dockOf(area, part.parts[1].first())},
                     {length(part.parts[0]), length(part.parts[1])}, part.way);
    for (const Part& p : part.parts) resize(area, p);
}

}  // namespace

DockLayout DockLayout::of(const DockArea& area) {
    DockLayout layout;
    if (!area.isRearranged()) return layout;
    QSet<QString> done;
    for (const DockFrame* d : area.docks()) {
        // Open is what is not closed: a tab behind another, and all of them while another page covers them.
        if (d->isHidden() || done.contains(d->objectName())) continue;
        Cell cell;
        cell.floating = d->isFloating();
        QList<QDockWidget*> tabs =
            cell.floating ? QList<QDockWidget*>() : area.tabifiedDockWidgets(const_cast<DockFrame*>(d));
        tabs.prepend(const_cast<DockFrame*>(d));
        cell.place = d->geometry();
        tabs.removeIf([](const QDockWidget* tab) { return tab->isHidden(); });  // a closed one keeps its place
        for (QDockWidget* tab : tabs) {
            if (tab->geometry().right() >= 0) {  // Qt keeps the tabs behind it left of the window
                cell.front = int(cell.docks.size());
                cell.place = tab->geometry();
            }
            cell.docks << tab->objectName();
            done.insert(tab->objectName());
        }
        layout.cells.push_back(cell);
    }
    return layout;
}

std::string DockLayout::text() const {
    if (cells.empty()) return {};
    QJsonArray all;
    for (const Cell& c : cells) {
        QJsonObject cell{
            {QStringLiteral("docks"), QJsonArray::fromStringList(c.docks)},
            {QStringLiteral("place"), QJsonArray{c.place.x(), c.place.y(), c.place.width(), c.place.height()}}};
        if (c.front > 0) cell.insert(QStringLiteral("front"), c.front);
        if (c.floating) cell.insert(QStringLiteral("floating"), true);
        all.append(cell);
    }
    return QJsonDocument(all).toJson(QJsonDocument::Compact).toStdString();
}

DockLayout DockLayout::read(const std::string& text) {
    DockLayout layout;
    const QJsonArray all = QJsonDocument::fromJson(QByteArray::fromStdString(text)).array();
    for (const auto& value : all) {
        const QJsonObject object = value.toObject();
        const QJsonArray place = object.value(QStringLiteral("place")).toArray();
        Cell cell;
        for (const auto& id : object.value(QStringLiteral("docks")).toArray())
            if (id.isString() && cell.docks.size() < most_cells) cell.docks << id.toString();
        const auto number = [&](int i) { return std::clamp(place.at(i).toInt(-1), -1, largest_side); };
        cell.place = {number(0), number(1), number(2), number(3)};
        if (cell.docks.isEmpty() || place.size() != 4 || cell.place.width() < 1 || cell.place.height() < 1) return {};
        cell.front = std::clamp(object.value(QStringLiteral("front")).toInt(), 0, int(cell.docks.size()) - 1);
        cell.floating = object.value(QStringLiteral("floating")).toBool();
        layout.cells.push_back(cell);
        if (layout.cells.size() > most_cells) return {};
    }
    return layout;
}

bool DockLayout::apply(DockArea& area) const {
    // Docks of another program version are not there, and none stands in two places.
    std::vector<Cell> known;
    QSet<QString> named;
    for (Cell cell : cells) {
        const QString front = cell.docks[cell.front];
        cell.docks.removeIf([&](const QString& id) { return !area.dock(id) || named.contains(id); });
        cell.docks.removeDuplicates();
        for (const QString& id : cell.docks) named.insert(id);
        if (cell.docks.isEmpty()) continue;
        cell.front = int(std::max<qsizetype>(cell.docks.indexOf(front), 0));
        known.push_back(std::move(cell));
    }
    std::vector<const Cell*> docked;
    for (const Cell& cell : known)
        if (!cell.floating) docked.push_back(&cell);
    if (docked.empty()) return false;

    for (DockFrame* d : area.docks()) {
        d->setFloating(false);
        area.removeDockWidget(d);
    }
    const Part all = cut(docked);
    QDockWidget* first = dockOf(area, all.first());
    area.addDockWidget(Qt::LeftDockWidgetArea, first);
    first->show();
    split(area, all);
    for (const Cell* cell : docked) {
        for (qsizetype i = 1; i < cell->docks.size(); ++i) {
            area.tabifyDockWidget(area.dock(cell->docks[i - 1]), area.dock(cell->docks[i]));
            area.dock(cell->docks[i])->show();
        }
        if (cell->docks.size() > 1) area.dock(cell->docks[cell->front])->raise();
    }
    resize(area, all);
    for (const Cell& cell : known) {
        if (!cell.floating) continue;
        for (const QString& id : cell.docks) {
            QDockWidget* d = area.dock(id);
            area.addDockWidget(Qt::LeftDockWidgetArea, d);
            d->setFloating(true);
            d->resize(cell.place.size());
            d->show();
        }
    }
    return true;
}

}  // namespace moe::app
