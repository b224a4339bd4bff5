#pragma once
#include <QRect>
#include <QString>
#include <QStringList>

#include <string>
#include <vector>

namespace moe::app {

class DockArea;

/// Where the docks stand, in words of our own: Qt's packed state crashes on bytes that a stranger changed, and differs
/// between its versions. Docks that share a place as tabs are one cell; docks that are not named are closed.
struct DockLayout {
    struct Cell {
        QStringList docks;  // ids; several: tabs in this order
        int front = 0;      // which of them is seen
        QRect place;        // in the area; of a floating window: its size alone
        bool floating = false;

        bool operator==(const Cell&) const = default;
    };
    std::vector<Cell> cells;

    /// As the docks stand now. Empty where nobody has rearranged them.
    static DockLayout of(const DockArea& area);
    /// One line of JSON; empty for no cells. Back: what is no layout has no cells. Numbers and names are bounded.
    std::string text() const;
    static DockLayout read(const std::string& text);
    /// Puts the docks there, as far as they exist. False, and nothing is moved, where there are no cells.
    bool apply(DockArea& area) const;

    bool operator==(const DockLayout&) const = default;
};

}  // namespace moe::app
