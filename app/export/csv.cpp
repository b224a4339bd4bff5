#include "app/export/csv.h"

#include "engine/core/numbers.h"

namespace moe::app {

QString CsvWriter::cell(const QString& text) {
    double number = 0;
    const bool active = !text.isEmpty() && QStringLiteral("=+-@\t\r#").contains(text.front()) &&
                        !parse_number(text.toStdString(), number);
    bool quoted = active || text.startsWith(u' ') || text.endsWith(u' ');
    for (const QChar c : text) quoted = quoted || c == u',' || c == u'"' || c == u'\n' || c == u'\r' || c == u';';
    if (!quoted) return text;
    QString inside = text;
    inside.replace(u'"', QStringLiteral("\"\""));
    return u'"' + (active ? QStringLiteral("'") : QString()) + inside + u'"';
}

void CsvWriter::note(const QString& text) {
    QString line = text;
    for (QChar& c : line)
        if (c == u'\n' || c == u'\r') c = u' ';
    bytes_ += "# " + line.toUtf8() + '\n';
}

void CsvWriter::row(const std::vector<QString>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i) bytes_ += ',';
        bytes_ += cell(cells[i]).toUtf8();
    }
    bytes_ += '\n';
}

}  // namespace moe::app
