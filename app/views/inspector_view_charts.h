#pragma once
#include "app/models/inspection.h"
#include "app/models/label_book.h"

#include <QWidget>

#include <cstdint>
#include <vector>

namespace moe::app {

/// How an array's numbers are spread: counts in equal ranges, between the ends of the colour scale. GUI thread.
class ArrayHistogram : public QWidget {
    Q_OBJECT

public:
    explicit ArrayHistogram(QWidget* parent);

    void setNumbers(std::span<const float> values, double limit, const Theme& theme, bool gradient);
    const std::vector<std::size_t>& counts() const { return counts_; }
    QString labelFault() const { return labels_.fault(QRectF(rect())); }

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    std::vector<std::size_t> counts_;
    InspectionStats stats_;
    double limit_ = 1;
    bool gradient_ = false;
    Theme theme_ = Theme::light();
    LabelBook labels_;
};

/// The size of an array's weights over the run. GUI thread.
class NormChart : public QWidget {
    Q_OBJECT

public:
    explicit NormChart(QWidget* parent);

    /// `what`: whose norm it is. Empty `steps`: nothing is known.
    void setCurve(std::vector<std::uint64_t> steps, std::vector<float> norms, std::uint64_t now, const QString& what,
                  const Theme& theme);
    /// The norm at `now`; where only a moment beside it is known that one's, with its step.
    QString figure() const;
    QString labelFault() const { return labels_.fault(QRectF(rect())); }

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    QRectF plot() const;
    std::size_t nearest(double step) const;

    std::vector<std::uint64_t> steps_;
    std::vector<float> norms_;
    std::uint64_t now_ = 0;
    QString what_;
    Theme theme_ = Theme::light();
    LabelBook labels_;
};

}  // namespace moe::app
