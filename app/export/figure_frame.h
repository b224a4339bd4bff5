#pragma once
#include "app/export/figure.h"

namespace moe::app {

/// Title and subtitle above, settings below, paper behind: what all figures share. In the figure's own units.
class FigureFrame {
public:
    static constexpr double margin = 24;

    FigureFrame(const FigureNotes& notes, const Theme& theme, double width);

    double top() const { return top_; }        // where the body begins
    double bottom() const { return bottom_; }  // height below the body
    double width() const { return width_; }
    void paint(QPainter& painter, double height) const;

    /// Type for paper: never hinted, so that every scale has the same widths.
    static QFont font(const Theme& theme, double pixels, int weight = QFont::Normal);

private:
    Theme theme_;
    QString title_, moment_;
    std::vector<QString> subtitle_, settings_;
    double width_, top_, bottom_;
};

/// Scales `body`, which draws in units of `size`, into whatever rectangle it is asked for.
Figure makeFigure(QString title, QSizeF size, std::function<void(QPainter&)> body);

/// Text at a baseline-free place: centred vertically in `rect`, not clipped.
void drawAligned(QPainter& painter, const QRectF& rect, Qt::Alignment horizontal, const QString& text);

/// The expert's shape in its colour with its letter beside it (ink alone from 9 experts on); returns the width it
/// takes.
double drawExpertHead(QPainter& painter, const Theme& theme, std::size_t expert, std::size_t experts, QPointF left,
                      double size);

}  // namespace moe::app
