#pragma once
#include "app/models/number_ref.h"
#include "app/models/operation_catalogue.h"
#include "app/models/theme.h"

#include <QCoreApplication>

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace moe::app {

/// Where the stage of one traced example stands: phrase, rows, mean, gate, experts, sum, next words, loss. Where each
/// token is routed the word that is followed stands in the mean's place, and the mean behind the sum. Pure geometry.
struct TraceStageLayout {
    QRectF area;  // below the captions, above the note
    QRectF note;
    double phrase = 0, rows = 0, mean = 0, gate = 0, experts = 0, sum = 0, pool = 0, words = 0, loss = 0;  // left edges
    double phrase_width = 0, rows_width = 0, mean_width = 0, gate_width = 0, experts_width = 0, sum_radius = 0,
           pool_width = 0, words_width = 0, loss_width = 0;
    double centre = 0, lane = 0;  // heights: of the middle, and of the way from the mean to the experts below the gate

    TraceStageLayout() = default;
    TraceStageLayout(QSizeF size, const Theme& theme, bool tokens = false);
};

/// The picture of one operation for one example, without a widget: what is lit, what stands back, what has been
/// computed, which gradients flow. GUI thread.
class TraceStageScene {
    Q_DECLARE_TR_FUNCTIONS(moe::app::TraceStageScene)

public:
    /// A place that explains itself. Over a strip every number does.
    struct Spot {
        QRectF place;
        QString tip;  // plain
        std::optional<NumberRef> ref;
        std::optional<ValueStrip> strip;
    };

    void setTheme(const Theme& theme) { theme_ = theme; }
    void setWords(std::shared_ptr<const std::vector<QString>> words) { words_ = std::move(words); }
    void setMoment(std::shared_ptr<const Trace> trace, std::size_t op, std::size_t example);
    /// How far the beat of the operation is, 0 to 1.
    void setTime(double t) { time_ = t; }
    void setPicked(std::optional<NumberRef> ref);

    bool empty() const { return !trace_ || trace_->ops.empty(); }
    const Trace* trace() const { return trace_.get(); }
    std::size_t op() const { return op_; }
    void paint(QPainter& painter, QSizeF size);

    /// Of the last picture.
    const std::vector<Spot>& spots() const { return spots_; }
    const Spot* spotAt(QPointF point) const;
    const QStringList& cutTexts() const { return cut_; }
    std::size_t token() const { return token_; }  // that is followed, where each is routed
    /// The gradient that is drawn at full width.
    double largestGradient() const { return largest_; }
    QString summary() const;  // one sentence, for screen readers

private:
    enum Part : unsigned {
        word_part = 1,
        row_part = 2,
        mean_part = 4,
        gate_part = 8,
        expert_part = 16,
        answer_part = 32,
        sum_part = 64,
        head_part = 128,
        loss_part = 256,
        balance_part = 512,
        lane_part = 1024,
        pool_part = 2048,
    };
    struct WordRow {
        QString label;
        std::optional<std::size_t> position;  // none: stands for several
        bool padding = false, left_out = false;
    };
    struct Slot {
        std::optional<std::size_t> expert;  // none: all the others
        std::optional<std::size_t> visit;
        std::size_t chosen = 0, others = 0;  // of all the others: how many were chosen, how many there are
        QRectF box;
        double gate_y = 0;
    };

    void measure();  // norms of the example's gradients
    void arrange();  // words and experts in their places
    unsigned partsOf(std::string_view op) const;
    std::size_t indexOf(std::string_view op) const;
    bool isNow(std::string_view op) const { return trace_->ops[op_].id == op; }
    /// 0: not reached, 1: done; between: the beat of this operation.
    double appeared(std::string_view op) const;
    double travelled(std::string_view op) const;
    bool backward() const { return trace_->ops[op_].phase == TracePhase::backward; }
    bool updating() const { return trace_->ops[op_].phase == TracePhase::update; }
    double light(unsigned part) const;

    std::span<const float> whole(const char* name) const;  // of the example
    std::span<const float> value(const char* name) const;  // of the token that is followed, where each has one
    std::span<const float> value(const char* name, std::size_t visit) const;
    std::size_t before(const char* name) const;  // numbers of the tokens before it
    NumberRef ref(const char* name, std::size_t index) const { return {name, example_, before(name) + index}; }
    QString followed() const;  // the token's word
    double weightOf(const Slot& slot) const;
    double stepOf(const std::string& parameter, std::size_t first, std::size_t count) const;
    double batchGradientOf(const std::string& parameter, std::size_t first, std::size_t count) const;
    double arrowWidth(double norm) const;

    void paintCaptions();
    void paintPhrase();
    void paintMean();
    void paintGate();
    void paintExperts();
    void paintExpert(const Slot& slot);
    void paintSum();
    void paintPool();
    void paintWay(double from, double right, const char* op);
    void paintHead();
    void paintLoss();
    void paintBalance();
    void paintLane();
    void paintRibbons();
    void paintGradients();
    void paintGateNumbers();
    void paintNote();

    double px(double design) const { return theme_.px(design); }
    QColor dim(const QColor& color, double light) const { return Theme::mix(theme_.panel, color, light); }
    QColor ink(double light) const;  // for text, which stays readable
    QColor muted(double light) const;
    void text(const QRectF& rect, Qt::Alignment alignment, const QString& text, double pixels, int weight,
              const QColor& color);
    void strip(const QRectF& rect, const ValueStrip& strip, double light, double shown = 1);
    /// `of`: the word or the expert whose it is.
    ValueStrip stripOf(const char* name, std::size_t first, std::span<const float> values, bool gradient,
                       const QString& of = {}) const;
    void arrow(QPointF from, QPointF to, double width, double progress, double light);
    void elbow(const std::vector<QPointF>& points, double width, double progress, double light);
    void spot(const QRectF& place, const QString& tip, std::optional<NumberRef> ref = std::nullopt);

    std::shared_ptr<const Trace> trace_;
    std::shared_ptr<const std::vector<QString>> words_ = std::make_shared<const std::vector<QString>>();
    std::size_t op_ = 0, example_ = 0;
    double time_ = 1;
    std::optional<NumberRef> picked_;
    Theme theme_ = Theme::light();
    ExamplePhrase phrase_;
    // Where each token is routed: which one is followed. What stands at the gate and at the head, and comes back.
    bool tokens_ = false;
    std::size_t token_ = 0;
    const char *at_gate_ = "mean", *at_head_ = "mixed", *from_gate_ = "d_mean_gate", *from_experts_ = "d_mean_experts",
               *from_head_ = "d_mixed";

    // Squared lengths of a trace's steps and gradients, once computed.
    mutable std::map<std::pair<std::string, std::size_t>, double> steps_;

    // Of the picture that is being painted.
    QPainter* p_ = nullptr;
    TraceStageLayout at_;
    std::vector<WordRow> rows_;
    double row_pitch_ = 0;
    std::vector<Slot> slots_;
    QRectF gate_box_, balance_box_;
    std::vector<std::size_t> listed_;  // next words
    double largest_ = 0;
    std::vector<Spot> spots_;
    QStringList cut_;
};

}  // namespace moe::app
