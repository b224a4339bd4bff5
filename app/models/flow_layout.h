#pragma once
#include <QPointF>
#include <QRectF>
#include <QSizeF>

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace moe::app {

/// What the stage's geometry depends on. Rows are the words of the probe text, the unknown ones too.
struct FlowSpec {
    QSizeF size;                  // of the whole panel, logical pixels
    double scale = 1;             // Theme::scale
    std::size_t num_experts = 0;  // E
    std::size_t rows = 0;         // words of the probe text
    std::size_t focus_row = 0;    // always readable where it is in sight
    double lens = 0;              // row around which the others are readable, where not all can be
    std::size_t predictions = 0;  // next words that could be listed
};

/// One word's place: a band of the picture.
struct FlowRow {
    double y = 0, height = 0;  // centre and height; y moves smoothly with the lens

    bool operator==(const FlowRow&) const = default;
};

struct FlowColumn {
    double left = 0, right = 0;
    double width() const { return right - left; }
    double centre() const { return (left + right) / 2; }
};

/// How an expert is drawn, by how many there are: a box with shape, name and load; a line; a cell; a bare cell.
enum class ExpertForm { box, line, cell, bare };

/// Where everything of the token stage stands: phrase, embedding, gate, experts, sum, next word, from left to right.
/// Pure geometry, a function of the spec alone: no widget, no painter, no values.
class FlowLayout {
public:
    FlowLayout() = default;
    explicit FlowLayout(const FlowSpec& spec);

    const FlowSpec& spec() const { return spec_; }
    /// Pixels per design pixel: the theme's scale, less on small panels, a little more on large ones.
    double scale() const { return scale_; }
    double px(double design) const { return design * scale_; }

    QRectF area() const { return area_; }           // the rows and experts
    QRectF probeRow() const { return probe_row_; }  // at the bottom, the panel's whole width
    /// Captions, in order: phrase, embedding, gate, experts, sum, next word.
    const std::array<QRectF, 6>& captions() const { return captions_; }

    FlowColumn phrase, strip, gate, numbers, experts, sum, words;
    double ribbonStart() const { return numbers.right; }

    const std::vector<FlowRow>& rows() const { return rows_; }
    /// True where not every row has room: the lens decides which are in sight.
    bool windowed() const { return windowed_; }
    /// True where rows have different heights because of the lens.
    bool fisheye() const { return fisheye_; }
    /// Where rows are drawn: the area, less the room for "230 more" where it is windowed. Rows in it as a whole are in
    /// sight.
    QRectF rowsArea() const { return rows_area_; }
    bool inSight(const FlowRow& row) const;
    std::size_t hiddenAbove() const { return hidden_above_; }
    std::size_t hiddenBelow() const { return hidden_below_; }

    /// Height of a word's pill, and of the embedding strip, in a row of this height.
    double pillHeight(double row_height) const;
    double stripHeight(double row_height) const;
    /// Distance between two gate bars; 0 where the experts have no bar of their own.
    double gatePitch(double row_height) const;
    /// Width of a ribbon of weight 1: two of adjacent bars can never overlap.
    double ribbonScale(double row_height) const;
    /// Lines in the gate of the focused row where it lists the strongest only (E > 8): names and one for the others.
    static constexpr std::size_t listed_experts = 4;
    bool listsExperts() const { return spec_.num_experts > 8; }

    ExpertForm expertForm() const { return form_; }
    std::size_t expertColumns() const { return columns_; }
    /// All the room that expert may take; slots never overlap.
    QRectF expertSlot(std::size_t expert) const;
    /// The expert itself, grown inside its slot with `load`, its share (even: 1 / E). Compact forms do not grow.
    QRectF expertBox(std::size_t expert, std::optional<double> load) const;
    /// Where a ribbon from the height `row_y` enters the expert, and where its answer leaves.
    QPointF expertEntry(std::size_t expert, double row_y) const;
    QPointF expertExit(std::size_t expert) const;
    QRectF expertsFrame() const;

    QPointF sumCentre() const { return {sum.centre(), area_.center().y()}; }
    double sumRadius() const { return sum.width() / 2; }

    std::size_t listedWords() const { return listed_words_; }
    QRectF wordBar(std::size_t rank) const;
    QRectF wordSummary() const;

private:
    void placeColumns();
    void placeRows();
    void placeExperts();

    FlowSpec spec_;
    double scale_ = 1;
    QRectF area_, rows_area_, probe_row_;
    std::array<QRectF, 6> captions_;
    std::vector<FlowRow> rows_;
    bool windowed_ = false, fisheye_ = false;
    std::size_t hidden_above_ = 0, hidden_below_ = 0;
    ExpertForm form_ = ExpertForm::box;
    std::size_t columns_ = 1, lines_ = 0;
    double pitch_ = 0, cell_ = 0;
    std::size_t listed_words_ = 0;
};

/// Where a word on a bar begins that is filled up to `filled`: at `left`, or `gap` behind the fill where its end would
/// cut the word and there is room up to `right`. All from the bar's left end.
double wordStart(double filled, double length, double left, double right, double gap);

}  // namespace moe::app
