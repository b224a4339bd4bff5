#include "app/lessons/markdown.h"

#include <QRegularExpression>
#include <QStringList>

namespace moe::app {

namespace {

QString inlineHtml(const QString& plain) {
    static const QRegularExpression span(
        QStringLiteral("`([^`]+)`|!\\[([^\\]]*)\\]\\(([^)\\s]+)\\)|\\*\\*([^*]+)\\*\\*|\\*([^*\\s][^*]*)\\*"));
    QString html;
    qsizetype at = 0;
    for (auto it = span.globalMatch(plain); it.hasNext();) {
        const QRegularExpressionMatch m = it.next();
        html += plain.mid(at, m.capturedStart() - at).toHtmlEscaped();
        at = m.capturedEnd();
        if (m.hasCaptured(1) && !m.captured(1).isEmpty())
            html += QStringLiteral("<code>%1</code>").arg(m.captured(1).toHtmlEscaped());
        else if (!m.captured(3).isEmpty())
            html +=
                isLessonPicture(m.captured(3))
                    ? QStringLiteral("<img src=\"%1\" alt=\"%2\">").arg(m.captured(3), m.captured(2).toHtmlEscaped())
                    : m.captured(0).toHtmlEscaped();
        else if (!m.captured(4).isEmpty())
            html += QStringLiteral("<b>%1</b>").arg(m.captured(4).toHtmlEscaped());
        else
            html += QStringLiteral("<i>%1</i>").arg(m.captured(5).toHtmlEscaped());
    }
    return html + plain.mid(at).toHtmlEscaped();
}

}  // namespace

bool isLessonPicture(const QString& name) {
    static const QRegularExpression bare(QStringLiteral("^[A-Za-z0-9_][A-Za-z0-9_.-]*\\.(png|jpg|jpeg)$"),
                                         QRegularExpression::CaseInsensitiveOption);
    return bare.match(name).hasMatch();
}

QString markdownToHtml(const QString& markdown) {
    QString html, block;
    bool list = false;
    const auto flush = [&] {
        if (block.isEmpty()) return;
        html += list ? QStringLiteral("<li>%1</li>").arg(inlineHtml(block))
                     : QStringLiteral("<p>%1</p>").arg(inlineHtml(block));
        block.clear();
    };
    const auto setList = [&](bool on) {
        if (on == list) return;
        flush();
        html += on ? QStringLiteral("<ul>") : QStringLiteral("</ul>");
        list = on;
    };
    for (const QString& raw : markdown.split(u'\n')) {
        const QString line = raw.trimmed();
        if (line.isEmpty()) {
            flush();
            setList(false);
        } else if (line.startsWith(QStringLiteral("- "))) {
            flush();
            setList(true);
            block = line.mid(2);
        } else {
            block += block.isEmpty() ? line : u' ' + line;
        }
    }
    flush();
    setList(false);
    return html;
}

}  // namespace moe::app
