#pragma once
#include <QString>

#include <vector>

namespace moe::app {

/// Rows and columns behind a picture: keyboard and screen reader, CSV export, tests.
struct Table {
    QString title;
    std::vector<QString> notes;    // the settings that made it, one line each
    std::vector<QString> columns;  // names with units
    std::vector<std::vector<QString>> rows;
};

}  // namespace moe::app
