#pragma once
#include <QByteArray>
#include <QString>

#include <string>
#include <vector>

namespace moe::app {

/// A table as RFC 4180 text (UTF-8, LF), behind `#` lines that say what it is. Numbers come in as text from numbers.h.
class CsvWriter {
public:
    /// A comment line; line breaks in it become spaces.
    void note(const QString& text);
    void row(const std::vector<QString>& cells);
    QByteArray bytes() const { return bytes_; }

    /// Cells with a separator, a quote or a line break are quoted. So are those that begin with = + - @, a tab or '#'
    /// and are no number, with an apostrophe before them: no spreadsheet takes a stranger's word for a formula.
    static QString cell(const QString& text);

private:
    QByteArray bytes_;
};

}  // namespace moe::app
