#pragma once
#include "app/models/flow_layout.h"
#include "app/models/ribbon.h"
#include "app/models/theme.h"
#include "app/views/view.h"
#include "engine/session/snapshot.h"

#include <QCoreApplication>
#include <QImage>
#include <QPainter>

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace moe::app {

enum class StagePart { nothing, caption, word, unknown_word, embedding, gate, expert, sum, next_word };

/// What lies under a point. `index`: of the caption, row (word, embedding, gate), expert or rank.
struct StageHit {
    StagePart part = StagePart::nothing;
    std::size_t index = 0;
    QRectF place;

    bool operator==(const StageHit&) const = default;
};

/// The picture of the token stage without a widget: what is shown of a snapshot, eased towards it, and painted. GUI
/// thread. The window draws frame(); exports call paint(), which draws the same with paths.
class StageScene {
    Q_DECLARE_TR_FUNCTIONS(moe::app::StageScene)

public:
    void setTheme(const Theme& theme);
    void resize(QSizeF size, double device_pixel_ratio);
    /// Same model and probe text: values move there; else the picture is laid out anew.
    void display(std::shared_ptr<const Snapshot> snapshot);
    void setFocusedPrefix(std::size_t prefix);
    void setFocusedExpert(std::optional<std::size_t> expert);
    void setKeyboardFocus(bool here);
    bool setHovered(const StageHit& hit);  // true where that changes the picture
    void setReducedMotion(bool reduced);
    /// A phrase from the corpus, for the line that says what to type.
    void setExample(const QString& phrase) { example_ = phrase; }

    /// Moves the lens over the words; true where there was anything to move.
    bool scroll(double rows);
    /// Shows the focused word where the lens had left it.
    void followFocus();

    /// One beat of the animation clock; everything shown moves by exp(-t / 50 ms) towards the snapshot.
    void advance(double seconds);
    void settle();                           // arrives at once
    bool moving() const { return moving_; }  // towards the snapshot
    /// From 9 experts on the focused word shows its strongest ribbons, at most this many.
    static constexpr std::size_t focused_ribbons = 64;
    bool flowing() const;  // tokens travel: training runs and motion is not reduced
    double animationTime() const { return time_; }

    const QImage& frame();
    void paint(QPainter& painter, QSizeF size) const;

    const FlowLayout& layout() const { return layout_; }
    const Snapshot& snapshot() const { return *snapshot_; }
    const Theme& theme() const { return theme_; }
    std::size_t focusedPrefix() const { return focus_; }
    std::optional<std::size_t> focusedExpert() const { return focused_expert_; }
    std::size_t prefixes() const { return snapshot_->probe.prefix_words.size(); }
    std::size_t numExperts() const { return snapshot_->experiment.model.num_experts; }
    std::optional<std::size_t> prefixOfRow(std::size_t row) const;
    /// Rows as they stand now, on their way to layout().rows().
    const std::vector<FlowRow>& shownRows() const { return rows_; }
    /// (P, E) as they are drawn now.
    const std::vector<float>& shownGate() const { return gate_; }

    /// What had to be elided since the picture was last laid out; only long words should be.
    const QStringList& cutTexts() const { return cut_; }

    StageHit hit(QPointF point) const;
    QString explain(const StageHit& hit) const;  // plain text; empty for nothing
    QString summary() const;                     // one sentence, for screen readers
    Table table() const;

private:
    struct ShownWord {
        std::int32_t id;
        float probability;
    };
    struct Surface {
        QPainter& p;
        RibbonCanvas* canvas;  // null: paths only
    };
    struct Dot {
        QPointF centre;
        double radius;
        QColor color;
    };

    void relayout();
    void findColoured();
    bool ease(double k);  // true when all has arrived

    void paintStatic(QPainter& p) const;
    void paintCaptions(QPainter& p) const;
    void paintRowStatic(QPainter& p, std::size_t row) const;
    void paintInvitation(QPainter& p) const;
    void paintValues(Surface s) const;
    void paintStrip(Surface s, std::size_t row, std::size_t prefix) const;
    void paintGate(Surface s, std::size_t row, std::size_t prefix) const;
    void paintGateList(Surface s, std::size_t row, std::size_t prefix) const;
    void paintGateHistogram(Surface s, std::size_t row, std::size_t prefix) const;
    void paintRibbons(Surface s, std::size_t row, std::size_t prefix, std::vector<Dot>& dots) const;
    void paintAnswers(Surface s, std::vector<Dot>& dots) const;
    void paintExperts(Surface s) const;
    void paintExpertBox(QPainter& p, std::size_t expert) const;
    void paintExpertCell(Surface s, std::size_t expert, double busiest) const;
    void paintSum(QPainter& p) const;
    void fillPart(QPainter& p, const QRectF& body, double radius, const QRectF& part, const QColor& color) const;
    void paintWordOnPaper(QPainter& p, const QRectF& bar, const QRectF& filled, const QString& word, double word_left,
                          const QString& number, const QColor& on_full, bool first) const;
    void paintWords(QPainter& p) const;

    double px(double design) const { return layout_.px(design); }
    QFont font(double pixels, int weight = QFont::Normal) const;
    void text(QPainter& p, const QRectF& rect, Qt::Alignment alignment, const QString& text, double pixels, int weight,
              const QColor& color) const;
    QColor faint(const QColor& color, double emphasis) const;
    bool coloured(std::size_t expert) const;
    QColor expertColor(std::size_t expert) const;
    QString loadText(std::size_t expert, bool with_word) const;
    float gateAt(std::size_t prefix, std::size_t expert) const { return gate_[prefix * numExperts() + expert]; }
    bool chosen(std::size_t expert) const;  // by the focused prefix
    double expertDim(std::size_t expert) const;

    QString prefixText(std::size_t prefix) const;
    QString explanation(const StageHit& hit) const;
    QString explainGate(std::size_t prefix) const;
    QString explainExpert(std::size_t expert) const;
    QString routedText(std::size_t prefix) const;

    std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<const Snapshot>();
    Theme theme_ = Theme::light(), type_ = Theme::light();  // type_: the theme at the layout's scale
    FlowLayout layout_;
    QSizeF size_;
    double ratio_ = 1;
    QString example_;
    StageHit hovered_;
    bool keyboard_ = false, reduced_motion_ = false, on_paper_ = false;
    std::size_t focus_ = 0;
    std::optional<std::size_t> focused_expert_;
    double lens_ = 0, time_ = 0;

    // As shown.
    std::vector<FlowRow> rows_;
    std::vector<float> emphasis_;             // (rows) 0 stands back, 1 focused
    std::vector<float> gate_;                 // (P, E)
    std::vector<float> pooled_;               // (P, D)
    std::vector<float> load_;                 // (E); empty before the first step
    std::vector<ShownWord> words_;            // by rank
    float pooled_scale_ = 0;                  // largest magnitude
    std::vector<std::size_t> prefix_of_row_;  // npos: unknown
    // Signed values from -1 to 1 as rows that stand back show them.
    static constexpr int shade_steps = 64;
    std::array<QRgb, 2 * shade_steps + 1> far_shades_{};
    std::vector<std::size_t> coloured_;  // experts, strongest first, where there are more than 8
    bool moving_ = false;

    mutable QStringList cut_;
    QImage base_, frame_;
    bool base_stale_ = true, frame_stale_ = true;
};

}  // namespace moe::app
