#include "app/models/operation_formula.h"
#include "app/models/tabular_text.h"

#include <QFontMetricsF>

#include <cmath>

namespace moe::app {

namespace {

// Signs of the markup in a literal travel as private characters.
constexpr char16_t marks[] = u"_^~{} ";
constexpr char16_t hidden = 0xE000;
constexpr double small_size = 0.72, line_height = 1.45;

double gapOf(int spaces, double space) {
    return spaces >= 3 ? 6 * space : space;
}

QFont fontAt(const Theme& theme, double pixels, int weight, int level) {
    return theme.font(level ? std::max(9.5, pixels * small_size) : pixels, weight);
}

}  // namespace

QString FormulaText::literal(const QString& text, qsizetype longest) {
    QString shown;
    const QString cut = text.size() > longest ? text.left(longest - 1) + u'…' : text;
    for (const QChar c : cut) {
        char16_t mapped = c.unicode() >= hidden && c.unicode() < hidden + 8 ? u'\uFFFD' : c.unicode();
        for (char16_t i = 0; i < 6; ++i)
            if (c == QChar(marks[i])) mapped = char16_t(hidden + i);
        shown += QChar(mapped);
    }
    return shown;
}

FormulaText::FormulaText(const QString& markup) {
    Run run;
    std::vector<QChar> open;  // the kinds of the braces that are open
    const auto close = [&] {
        if (run.text.isEmpty()) return;
        runs_.push_back(run);
        run.text.clear();
        run.space_before = 0;
    };
    for (qsizetype i = 0; i < markup.size(); ++i) {
        const QChar c = markup[i];
        const bool opens = i + 1 < markup.size() && markup[i + 1] == u'{';
        if (opens && (c == u'_' || c == u'^' || c == u'~')) {
            close();
            open.push_back(c);
            if (c == u'~')
                run.gradient = true;
            else
                run.level = c == u'_' ? -1 : 1;
            ++i;
        } else if (c == u'}' && !open.empty()) {
            close();
            if (open.back() == u'~')
                run.gradient = false;
            else
                run.level = 0;
            open.pop_back();
        } else if (c == u' ' && run.level == 0) {
            close();
            ++run.space_before;
        } else if (c.unicode() >= hidden && c.unicode() < hidden + 6) {
            run.text += QChar(marks[c.unicode() - hidden]);
        } else {
            run.text += c;
        }
    }
    close();
}

QString FormulaText::plain() const {
    QString text;
    int level = 0;
    for (const Run& r : runs_) {
        if (r.space_before && !text.isEmpty())
            text += r.space_before >= 3 ? QStringLiteral(";  ") : QStringLiteral(" ");
        if (r.level != level && r.level) text += r.level < 0 ? u'_' : u'^';
        level = r.level;
        text += r.text;
    }
    return text;
}

std::vector<FormulaText::Line> FormulaText::lines(const Theme& theme, double pixels, int weight, double room) const {
    std::vector<Line> found;
    const double space = tabularWidth(fontAt(theme, pixels, weight, 0), QStringLiteral(" "));
    const QFont base = fontAt(theme, pixels, weight, 0), small = fontAt(theme, pixels, weight, 1);
    // Words are runs up to the next space: they stay together.
    for (std::size_t i = 0; i < runs_.size();) {
        std::size_t end = i;
        double word = 0;
        do {
            word += tabularWidth(runs_[end].level ? small : base, runs_[end].text);
            ++end;
        } while (end < runs_.size() && !runs_[end].space_before);
        const double gap = gapOf(runs_[i].space_before, space);
        if (found.empty() || found.back().width + gap + word > room)
            found.push_back({i, end, word});
        else
            found.back().last = end, found.back().width += gap + word;
        i = end;
    }
    return found;
}

double FormulaText::width(const Theme& theme, double pixels, int weight) const {
    const auto all = lines(theme, pixels, weight, 1e9);
    return all.empty() ? 0 : all.front().width;
}

double FormulaText::height(const Theme& theme, double pixels, int weight, double room) const {
    return double(lines(theme, pixels, weight, room).size()) * std::ceil(theme.px(pixels) * line_height);
}

double FormulaText::draw(QPainter& p, const Theme& theme, const QRectF& rect, double pixels, int weight,
                         const QColor& color, Qt::Alignment alignment) const {
    const QFont base_font = fontAt(theme, pixels, weight, 0), small_font = fontAt(theme, pixels, weight, 1);
    const QFontMetricsF base(base_font), small(small_font);
    const double space = base.horizontalAdvance(u' '), step = std::ceil(theme.px(pixels) * line_height);
    double y = rect.top();
    for (const Line& line : lines(theme, pixels, weight, rect.width())) {
        double x = rect.left();
        if (alignment & Qt::AlignRight) x = rect.right() - line.width;
        if (alignment & Qt::AlignHCenter) x = rect.center().x() - line.width / 2;
        const double baseline = y + (step + base.capHeight()) / 2;
        for (std::size_t i = line.first; i < line.last; ++i) {
            const Run& r = runs_[i];
            if (r.space_before && i > line.first) x += gapOf(r.space_before, space);
            const QFontMetricsF& metrics = r.level ? small : base;
            p.setFont(r.level ? small_font : base_font);
            p.setPen(r.gradient ? theme.gradient : color);
            const double shift = r.level < 0 ? base.descent() * 0.75 : r.level > 0 ? -base.capHeight() * 0.5 : 0;
            const double advance = tabularWidth(p.font(), r.text);
            drawTabular(p, QRectF(x, baseline + shift - metrics.ascent(), advance, metrics.height()), Qt::AlignLeft,
                        r.text);
            x += advance;
        }
        y += step;
    }
    return y - rect.top();
}

}  // namespace moe::app
