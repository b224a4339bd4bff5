#pragma once
#include "app/models/theme.h"

#include <QString>

#include <vector>

namespace moe::app {

/// A formula of this program's own texts: `_{...}` is set below the line, `^{...}` above it, `~{...}` in the colour of
/// gradients; three spaces keep two formulas apart. What comes from elsewhere (a word of the corpus) goes in through
/// literal(). Breaks at spaces; digits have one width.
class FormulaText {
public:
    FormulaText() = default;
    explicit FormulaText(const QString& markup);

    /// `text` as it is, whatever signs are in it; long ones elided.
    static QString literal(const QString& text, qsizetype longest = 18);

    bool isEmpty() const { return runs_.empty(); }
    /// "∂L/∂z_e = ...", for copies and screen readers.
    QString plain() const;
    double width(const Theme& theme, double pixels, int weight) const;
    double height(const Theme& theme, double pixels, int weight, double room) const;
    /// In lines of at most rect.width() from the top left; what does not fit below is not drawn. Returns what it took.
    double draw(QPainter& painter, const Theme& theme, const QRectF& rect, double pixels, int weight,
                const QColor& color, Qt::Alignment alignment = Qt::AlignLeft) const;

private:
    struct Run {
        QString text;
        int level = 0;  // -1 below, 1 above
        bool gradient = false;
        int space_before = 0;  // a line may end before it; three and more keep formulas apart
    };
    struct Line {
        std::size_t first, last;
        double width;
    };
    std::vector<Line> lines(const Theme& theme, double pixels, int weight, double room) const;

    std::vector<Run> runs_;
};

}  // namespace moe::app
