#include "app/models/tabular_text.h"

#include <QCache>
#include <QCoreApplication>
#include <QFontMetricsF>
#include <QGlyphRun>
#include <QPaintEngine>
#include <QRawFont>
#include <QTextLayout>
#include <QThread>

#include <algorithm>
#include <memory>
#include <vector>

namespace moe::app {

namespace {

constexpr int most_remembered = 4000;  // texts; about half a KiB each

/// Calls `each(piece, is_digit)` for every digit, and for what stands between digits as a whole: kerning, ligatures,
/// combining marks and pairs of surrogates stay together.
template <class Each>
void forPieces(const QString& text, const Each& each) {
    for (qsizetype i = 0; i < text.size();) {
        qsizetype end = i + 1;
        const bool digit = text[i] >= u'0' && text[i] <= u'9';
        while (!digit && end < text.size() && !(text[end] >= u'0' && text[end] <= u'9')) ++end;
        each(text.mid(i, end - i), digit);
        i = end;
    }
}

/// A text with its glyphs chosen and placed, from its left end on the baseline.
struct ShapedText {
    std::vector<QGlyphRun> runs;
    double width = 0, ascent = 0, descent = 0, cell = 0;  // of the font: ascent, descent and the width of a digit
};

void append(std::vector<QGlyphRun>& runs, const QGlyphRun& run, double x) {
    QList<QPointF> places = run.positions();
    for (QPointF& p : places) p.rx() += x;
    if (runs.empty() || runs.back().rawFont() != run.rawFont()) {
        runs.push_back(run);
        runs.back().setPositions(places);
        return;
    }
    QGlyphRun& all = runs.back();
    all.setGlyphIndexes(all.glyphIndexes() + run.glyphIndexes());
    all.setPositions(all.positions() + places);
}

class ShapedTexts {
public:
    /// Valid until the next call.
    const ShapedText& of(const QFont& font, const QString& text) {
        const Key key{font, text};
        if (const ShapedText* known = texts_.object(key)) return *known;
        auto shaped = std::make_unique<ShapedText>();
        const QFontMetricsF metrics(font);
        shaped->ascent = metrics.ascent(), shaped->descent = metrics.descent();
        shaped->cell = metrics.horizontalAdvance(u'0');
        forPieces(text, [&](const QString& piece, bool digit) {
            if (piece.size() == text.size()) {
                shapePiece(*shaped, font, piece);
                if (digit) shaped->width = shaped->cell;
                return;
            }
            const ShapedText& part = of(font, piece);
            for (const QGlyphRun& run : part.runs) append(shaped->runs, run, shaped->width);
            shaped->width += part.width;
        });
        ShapedText* const result = shaped.get();
        texts_.insert(key, shaped.release());
        return *result;
    }

    void clear() { texts_.clear(); }

private:
    struct Key {
        QFont font;
        QString text;

        bool operator==(const Key& other) const { return text == other.text && font == other.font; }
        friend size_t qHash(const Key& key, size_t seed) { return qHashMulti(seed, key.font, key.text); }
    };

    /// A digit stands in the middle of its cell.
    static void shapePiece(ShapedText& shaped, const QFont& font, const QString& piece) {
        QTextLayout layout(piece, font);
        QTextOption option(Qt::AlignLeft | Qt::AlignAbsolute);
        option.setWrapMode(QTextOption::NoWrap);
        layout.setTextOption(option);
        layout.beginLayout();
        QTextLine line = layout.createLine();
        line.setLineWidth(1e6);
        layout.endLayout();
        shaped.width = QFontMetricsF(font).horizontalAdvance(piece);
        const bool digit = piece.size() == 1 && piece[0] >= u'0' && piece[0] <= u'9';
        const QPointF shift(digit ? (shaped.cell - shaped.width) / 2 : 0, -line.y() - line.ascent());
        for (QGlyphRun run : layout.glyphRuns()) {
            QList<QPointF> places = run.positions();
            for (QPointF& p : places) p += shift;
            run.setPositions(places);
            append(shaped.runs, run, 0);
        }
    }

    QCache<Key, ShapedText> texts_{most_remembered};
};

/// None on other threads: a font's glyphs belong to the thread that asked for them.
ShapedTexts* shapedTexts() {
    if (!qApp || QThread::currentThread() != qApp->thread()) return nullptr;
    static ShapedTexts texts;
    // Fonts go with the application.
    static const bool cleared = [] { return qAddPostRoutine([] { texts.clear(); }), true; }();
    return cleared ? &texts : nullptr;
}

/// Painters and layouts have different views on which end of such a text its blanks stand.
bool hasRightToLeft(const QString& text) {
    return std::any_of(text.begin(), text.end(), [](QChar c) {
        return c.isHighSurrogate() || c.direction() == QChar::DirR || c.direction() == QChar::DirAL;
    });
}

bool onScreen(const QPainter& painter) {
    return painter.paintEngine() && painter.paintEngine()->type() == QPaintEngine::Raster &&
           painter.transform().type() <= QTransform::TxTranslate;
}

}  // namespace

double tabularWidth(const QFontMetricsF& metrics, const QString& text) {
    const double cell = metrics.horizontalAdvance(u'0');
    double width = 0;
    forPieces(text,
              [&](const QString& piece, bool digit) { width += digit ? cell : metrics.horizontalAdvance(piece); });
    return width;
}

double tabularWidth(const QFont& font, const QString& text) {
    if (ShapedTexts* texts = shapedTexts()) return texts->of(font, text).width;
    return tabularWidth(QFontMetricsF(font), text);
}

void drawTabular(QPainter& painter, const QRectF& rect, Qt::Alignment alignment, const QString& text) {
    const QFont font = painter.font();
    ShapedTexts* const texts = onScreen(painter) && !hasRightToLeft(text) ? shapedTexts() : nullptr;
    const ShapedText* const shaped = texts ? &texts->of(font, text) : nullptr;
    const QFontMetricsF metrics(font);
    const double width = shaped ? shaped->width : tabularWidth(metrics, text);
    const double ascent = shaped ? shaped->ascent : metrics.ascent();
    const double descent = shaped ? shaped->descent : metrics.descent();
    double x = rect.left();
    if (alignment & Qt::AlignRight) x = rect.right() - width;
    if (alignment & Qt::AlignHCenter) x = rect.center().x() - width / 2;
    double y = rect.top() + ascent;
    if (alignment & Qt::AlignVCenter) y = rect.center().y() + (ascent - descent) / 2;
    if (alignment & Qt::AlignBottom) y = rect.bottom() - descent;
    if (shaped) {
        for (const QGlyphRun& run : shaped->runs) painter.drawGlyphRun(QPointF(x, y), run);
        return;
    }
    const double cell = metrics.horizontalAdvance(u'0');
    forPieces(text, [&](const QString& piece, bool digit) {
        const double advance = metrics.horizontalAdvance(piece);
        painter.drawText(QPointF(digit ? x + (cell - advance) / 2 : x, y), piece);
        x += digit ? cell : advance;
    });
}

}  // namespace moe::app
