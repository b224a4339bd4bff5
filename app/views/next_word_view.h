#pragma once
#include "app/models/serving_path.h"
#include "app/views/chart_measure.h"
#include "app/views/chart_toggle.h"

#include <QLineEdit>
#include <QScrollArea>

#include <vector>

namespace moe::app {

/// The answer and how it comes about: top words with their probabilities, the gate, and on request each stage of the
/// serving path. Draws what it is given.
class NextWordBody : public QWidget {
    Q_OBJECT

public:
    explicit NextWordBody(QWidget* parent);

    struct Content {
        std::vector<QString> warnings;  // "“zebra” is unknown and left out"
        std::vector<WordProbability> top;
        std::vector<std::pair<std::size_t, double>> gate;  // expert, weight
        std::size_t experts = 0, other_experts = 0;
        QString others;                  // "and %1 more"
        std::vector<ServingStage> path;  // empty: folded
        QString empty;                   // instead of an answer
        std::optional<std::size_t> focused;
        bool can_unfold = false;
    };
    void setContent(Content content, const Theme& theme);
    TextToggle* pathToggle() const { return toggle_; }
    QString labelFault() const { return labels_.fault(QRectF(rect())); }
    int heightFor(int width) const;
    int pathTop() const { return int(toggle_top_); }  // of the button above the serving path
    /// Shows as many of the words, at least one, as leave the rest of the answer in view; all where the path is shown.
    void fit(int width, int height);

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    double layout(double width, QPainter* painter) const;
    double layoutWords(double y, double width, QPainter* painter) const;
    double layoutGate(double y, double width, QPainter* painter) const;
    double layoutPath(double y, double width, QPainter* painter) const;

    Content content_;
    Theme theme_ = Theme::light();
    TextToggle* toggle_;
    mutable LabelBook labels_;
    mutable double toggle_top_ = 0, words_top_ = 0, toggle_left_ = 0;
    mutable double gate_end_ = 0;  // x where the gate's last line ends
    std::size_t words_ = 0;        // that are shown
};

/// Type a phrase: the model's next word. The phrase is the session's, shared with the stage.
class NextWordView : public MeasureView {
    Q_OBJECT

public:
    NextWordView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Next word"); }
    QString scope() const override;
    QString value() const override;
    Table table() const override;
    QString labelFault() const override { return body_->labelFault(); }
    QSize sizeHint() const override { return {320, 150}; }
    void setPathShown(bool on) { body_->pathToggle()->setChecked(on); }
    std::vector<ServingStage> servingPath() const;

protected:
    void refresh() override;
    QString summary() const override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void arrange();

    QLineEdit* field_;
    QScrollArea* scroll_;
    NextWordBody* body_;
};

}  // namespace moe::app
