#pragma once
#include "app/models/label_book.h"
#include "app/models/provenance_card.h"
#include "app/views/chart_toggle.h"

#include <QScrollArea>
#include <QWidget>

#include <memory>
#include <vector>

namespace moe::app {

/// The cards of a chain, drawn; the number that is asked for stands on top with its whole formula. Numbers in it are
/// links: the mouse, or Up, Down and Enter.
class ProvenanceBody : public QWidget {
    Q_OBJECT

public:
    explicit ProvenanceBody(QWidget* parent);

    struct Link {
        QRectF place;
        std::optional<NumberRef> ref;  // nothing: lists more terms
        QString tip;
    };

    void setContent(std::vector<ProvenanceCard> chain, const Theme& theme);
    void setTips(std::function<QString(const NumberRef&)> tip) { tip_ = std::move(tip); }
    int heightFor(int width) const;
    const std::vector<Link>& links() const { return links_; }
    std::size_t current() const { return current_; }
    QString labelFault() const { return labels_.fault(QRectF(rect())); }

Q_SIGNALS:
    void followed(const moe::app::NumberRef& ref);
    void moreAsked();
    void backAsked();
    void copyAsked();
    void revealed(const QRect& place);  // the current link, to scroll to

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    double layout(double width, QPainter* painter) const;
    double layoutTop(const ProvenanceCard& card, double y, double width, QPainter* painter) const;
    double layoutSum(const ProvenanceSum& sum, double y, double width, QPainter* painter) const;
    double layoutParts(const std::vector<ProvenancePart>& parts, double x, double y, double right,
                       QPainter* painter) const;
    double layoutBelow(const ProvenanceCard& card, double y, double width, QPainter* painter) const;
    double nameAt(const NumberName& name, double x, double y, double row, double right, double size,
                  QPainter* painter) const;
    double widthOf(const std::vector<ProvenancePart>& parts) const;
    void label(QPainter* painter, const QRectF& place, Qt::Alignment alignment, const QString& text) const;
    std::size_t linkAt(QPointF position) const;
    void activate(std::size_t link);
    void setCurrent(std::size_t link);

    std::vector<ProvenanceCard> chain_;
    std::function<QString(const NumberRef&)> tip_;
    Theme theme_ = Theme::light();
    mutable LabelBook labels_;
    mutable std::vector<Link> links_;
    std::size_t current_ = 0, hovered_;
};

/// Where a number of a trace comes from, link by link. Fills the place it is given; its panel is the host's. GUI
/// thread.
class ProvenanceView : public QWidget {
    Q_OBJECT

public:
    explicit ProvenanceView(QWidget* parent);

    void setTheme(const Theme& theme);
    /// The numbers from now on are this trace's; the number that is shown stays where the trace has it.
    void setTrace(std::shared_ptr<const Trace> trace, ProvenanceCards::WordOf word_of);
    /// Shows this number and forgets the way here. A number that the trace has not shows an invitation.
    void showNumber(const NumberRef& ref);
    void clear();
    /// Instead of the cards while there is nothing to show.
    void setInvitation(const QString& sentence);

    const std::optional<NumberRef>& number() const { return number_; }
    bool canGoBack() const { return !trail_.empty(); }
    void back();
    /// The number and what it comes from, for the clipboard.
    QString text() const;
    void copyChain() { copy(text(), *copy_); }  // as its button
    QString kerasLine() const;
    QString title() const;  // "Where −.147 comes from"; drawn on top
    QString labelFault() const;
    ProvenanceBody* body() const { return body_; }

    QSize sizeHint() const override { return {336, 300}; }
    QSize minimumSizeHint() const override { return {200, 120}; }

Q_SIGNALS:
    void numberChanged();

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void go(const NumberRef& ref);
    void refresh();
    void arrange();
    void copy(const QString& text, QAbstractButton& asked);

    std::unique_ptr<ProvenanceCards> cards_;
    std::optional<NumberRef> number_;
    std::vector<NumberRef> trail_;
    std::vector<ProvenanceCard> chain_;
    std::size_t terms_;
    Theme theme_ = Theme::light();
    QString invitation_;
    QScrollArea* scroll_;
    ProvenanceBody* body_;
    TextToggle *back_, *copy_, *keras_;
    LabelBook labels_;
};

}  // namespace moe::app
