#pragma once
#include "app/models/operation_catalogue.h"
#include "app/models/operation_formula.h"
#include "app/models/theme.h"

#include <QFrame>

#include <array>
#include <memory>
#include <optional>
#include <vector>

class QLabel;
class QPushButton;
class QScrollArea;

namespace moe::app {

/// Title, shapes, question, formula and the formula with its numbers.
class OperationHead : public QWidget {
    Q_OBJECT

public:
    explicit OperationHead(QWidget* parent);
    void setPage(const OperationPage* page, const Theme& theme);
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override { return lay(nullptr, width); }
    QSize sizeHint() const override { return {width(), lay(nullptr, width())}; }
    QSize minimumSizeHint() const override { return {200, 20}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    int lay(QPainter* painter, int width) const;

    const OperationPage* page_ = nullptr;
    Theme theme_ = Theme::light();
};

/// The rows and strips of a page; hover gives each number, a click picks it.
class OperationTable : public QWidget {
    Q_OBJECT

public:
    explicit OperationTable(QWidget* parent);
    void setPage(const OperationPage* page, std::shared_ptr<const std::vector<QString>> words, const Theme& theme);
    /// As tall as its rows at their best height for `room`; taller where they need more.
    void arrange(int width, int room);
    const QStringList& cutTexts() const { return cut_; }
    /// Where the number stands; empty where it is not shown. For tests.
    QRectF placeOf(const NumberRef& ref) const;

Q_SIGNALS:
    void numberPicked(const moe::app::NumberRef& ref);

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

private:
    struct Place {
        QRectF rect;
        std::optional<NumberRef> ref;
        const ValueStrip* strip = nullptr;
        QString tip;
    };
    void measure(int width);
    void paintRow(QPainter& p, const OperationRow& row, double y, std::vector<Place>& places);
    void paintCell(QPainter& p, const OperationRow& row, std::size_t column, double y, std::vector<Place>& places);
    void cutOff(QPainter& p, const QRectF& rect, Qt::Alignment alignment, const QString& text);
    const Place* placeAt(QPointF point) const;
    double headHeight() const;
    double typeSize() const;  // a little smaller in narrow rows
    double stripsHeight(int width) const;
    /// Where a column has strips of so many values, from left to right.
    std::optional<QRectF> stripColumn(std::size_t values) const;

    const OperationPage* page_ = nullptr;
    std::shared_ptr<const std::vector<QString>> words_;
    Theme theme_ = Theme::light();
    std::vector<double> lefts_, widths_;  // of the columns
    double label_width_ = 0, row_height_ = 24;
    std::vector<bool> signed_;  // bar columns from the middle
    std::vector<Place> places_;
    QStringList cut_;
};

/// The panel of one operation: question, formula with this example's numbers, table, strips, what to notice, the values
/// to copy and the line of Keras that does the same. GUI thread.
class OperationView : public QFrame {
    Q_OBJECT

public:
    explicit OperationView(QWidget* parent);

    void setTheme(const Theme& theme);
    void showOperation(std::shared_ptr<const Trace> trace, std::size_t op, std::size_t example,
                       std::shared_ptr<const std::vector<QString>> words);
    /// Instead of a page: that a trace is under way, or why there is none.
    void showSentence(const QString& sentence);
    /// The formula's numbers become those of this number, where it belongs to this operation.
    void setPicked(const std::optional<NumberRef>& ref);
    const OperationPage& page() const { return page_; }
    OperationTable* table() const { return table_; }
    QString copyText() const;

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

Q_SIGNALS:
    void numberPicked(const moe::app::NumberRef& ref);

protected:
    void resizeEvent(QResizeEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    void refresh();
    void arrange();
    std::array<QWidget*, 6> parts() const;  // of a page

    Theme theme_ = Theme::light();
    std::shared_ptr<const Trace> trace_;
    std::shared_ptr<const std::vector<QString>> words_ = std::make_shared<const std::vector<QString>>();
    std::size_t op_ = 0, example_ = 0;
    std::optional<NumberRef> picked_;
    std::optional<std::size_t> token_;  // that is followed, from one operation to the next
    OperationPage page_;
    OperationHead* head_;
    QScrollArea* scroll_;
    OperationTable* table_;
    QLabel *notice_, *keras_, *sentence_;
    QPushButton *copy_, *copy_keras_;
};

}  // namespace moe::app
