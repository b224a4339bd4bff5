#pragma once
#include <QPainter>
#include <QRectF>
#include <QString>

#include <vector>

namespace moe::app {

/// Draws a picture's labels and remembers where they stand, so that a test can see that none is cut and none lies on
/// another.
class LabelBook {
public:
    struct Label {
        QRectF rect;
        QString text;
    };

    void clear() { labels_.clear(); }
    /// One line with tabular digits, aligned in `rect` and never clipped. Returns where it stands.
    QRectF draw(QPainter& painter, const QRectF& rect, Qt::Alignment alignment, const QString& text);
    /// Lines of at most the rectangle's width, centred in it.
    void drawWrapped(QPainter& painter, const QRectF& rect, const QString& text);

    const std::vector<Label>& labels() const { return labels_; }
    /// The first text that leaves `bounds` or lies on another; empty where all is well.
    QString fault(const QRectF& bounds) const;

private:
    std::vector<Label> labels_;
};

}  // namespace moe::app
