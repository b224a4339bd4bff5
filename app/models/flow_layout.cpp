#include "app/models/flow_layout.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double design_width = 716, design_height = 392;  // the stage's place in a window of 1280x720
constexpr double smallest_width = 560, smallest_height = 300;
constexpr double side_margin = 16, top = 34, probe_height = 36;

// Each column or gap: its width in the design, how much of it a narrow panel takes away, and its part of extra room.
struct Stretch {
    double width, give, take;
};
enum Piece { pill, gap_a, strip_part, gap_b, bars, digits, flow_in, expert_part, flow_out, circle, gap_c, word_part };
constexpr std::array<Stretch, 12> parts = {{{88, 18, .12},
                                            {18, 8, .02},
                                            {124, 50, .22},
                                            {40, 24, .06},
                                            {64, 14, .12},
                                            {34, 0, 0},
                                            {66, 20, .18},
                                            {92, 8, .10},
                                            {36, 8, .06},
                                            {30, 0, 0},
                                            {16, 6, 0},
                                            {76, 0, .12}}};

// Heights of rows: near the lens and far from it; and that at which all can be read without one.
constexpr double readable = 24, condensed = 5, still_readable = 15.5;

}  // namespace

FlowLayout::FlowLayout(const FlowSpec& spec) : spec_(spec) {
    const double w = std::max(1.0, spec.size.width()), h = std::max(1.0, spec.size.height());
    const double s = std::max(0.1, spec.scale);
    const double room = std::min(w / (design_width * s), h / (design_height * s));
    scale_ = s * std::clamp(std::sqrt(room), 1.0, 1.35);
    scale_ = std::min({scale_, w / smallest_width, h / smallest_height});

    probe_row_ = QRectF(0, h - px(probe_height), w, px(probe_height));
    area_ = QRectF(0, px(top), w, h - px(top + probe_height + 10));
    rows_area_ = area_;
    placeColumns();
    placeRows();
    placeExperts();

    const auto fits = std::size_t(std::max(1.0, std::floor((area_.height() - px(40)) / px(22))));
    const std::size_t wanted = area_.height() < px(360) ? 5 : 10;
    listed_words_ = std::min({spec.predictions, wanted, fits});
}

void FlowLayout::placeColumns() {
    const double extra = spec_.size.width() / scale_ - design_width;
    const double give = std::clamp(-extra / (design_width - smallest_width), 0.0, 1.0);
    // Many experts want a wider grid; the embedding strip has room to give.
    const double shift = spec_.num_experts > 26 ? 24 : 0;
    std::array<double, parts.size() + 1> x{};
    x[0] = side_margin;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        double width = parts[i].width - parts[i].give * give + parts[i].take * std::max(0.0, extra);
        if (i == strip_part) width -= shift;
        if (i == expert_part) width += shift;
        x[i + 1] = x[i] + width;
    }
    const auto column = [&](Piece part) { return FlowColumn{px(x[part]), px(x[part + 1])}; };
    phrase = column(pill), strip = column(strip_part), gate = column(bars), numbers = column(digits);
    experts = column(expert_part), sum = column(circle), words = column(word_part);

    // A caption may run up to the next one.
    const std::array<double, 7> starts = {
        phrase.left, strip.left, gate.left, experts.left, sum.left, words.left, words.right + px(side_margin - 4)};
    for (std::size_t i = 0; i < captions_.size(); ++i)
        captions_[i] =
            QRectF(starts[i], px(10), starts[i + 1] - starts[i] - px(i + 1 < captions_.size() ? 4 : 0), px(20));
}

void FlowLayout::placeRows() {
    const std::size_t n = spec_.rows;
    rows_.assign(n, {});
    if (n == 0) return;
    const std::size_t focus = std::min(spec_.focus_row, n - 1);
    const double lens = std::clamp(spec_.lens, 0.0, double(n - 1));
    const double a = area_.height();

    // The focused row has room for its numbers, line by line.
    const double lines =
        double(spec_.num_experts > 8 ? listed_experts + 1 : std::max<std::size_t>(1, spec_.num_experts));
    const double focused = std::min(a, std::max(px(40), px(10.4) * lines + px(8)));
    const double tallest = std::max({px(72), a / 5, focused});
    const double uniform = a / double(n), others = n > 1 ? (a - focused) / double(n - 1) : a;
    double from = area_.top();
    if (uniform >= focused || n == 1) {
        for (FlowRow& row : rows_) row.height = std::min(uniform, tallest);
    } else if (others >= px(still_readable)) {
        for (FlowRow& row : rows_) row.height = others;
        rows_[focus].height = focused;
    } else {
        fisheye_ = true;
        const auto near = [&](std::size_t i) { return std::clamp(3 - std::abs(double(i) - lens), 0.0, 1.0); };
        double fixed = focused, weight = 0;  // total: fixed + weight * small
        for (std::size_t i = 0; i < n; ++i) {
            if (i == focus) continue;
            fixed += near(i) * px(readable), weight += 1 - near(i);
        }
        double small = weight > 0 ? (a - fixed) / weight : px(condensed);
        windowed_ = small < px(condensed);
        small = std::clamp(small, px(condensed), px(readable));
        for (std::size_t i = 0; i < n; ++i)
            rows_[i].height = i == focus ? focused : near(i) * px(readable) + (1 - near(i)) * small;
    }
    double total = 0;
    for (const FlowRow& row : rows_) total += row.height;
    if (windowed_) {
        // Room for "230 more" above and below; first and last row touch them when the lens is there.
        rows_area_.adjust(0, px(15), 0, -px(15));
        from = rows_area_.top() - (total - rows_area_.height()) * lens / double(n - 1);
    } else {
        from += (a - total) / 2;
    }
    for (FlowRow& row : rows_) {
        row.y = from + row.height / 2;
        from += row.height;
    }
    if (!windowed_) return;
    for (const FlowRow& row : rows_) {
        if (inSight(row)) continue;
        ++(row.y < rows_area_.center().y() ? hidden_above_ : hidden_below_);
    }
}

bool FlowLayout::inSight(const FlowRow& row) const {
    return row.y - row.height / 2 >= rows_area_.top() - 0.5 && row.y + row.height / 2 <= rows_area_.bottom() + 0.5;
}

double FlowLayout::pillHeight(double row_height) const {
    if (row_height < px(15)) return std::clamp(row_height * 0.5, 1.0, px(4));
    return std::clamp(row_height * 0.5, std::min(row_height - px(3), px(19)), px(36));
}

double FlowLayout::stripHeight(double row_height) const {
    return std::clamp(row_height * 0.3, std::min(row_height - 1, px(12)), px(24));
}

double FlowLayout::gatePitch(double row_height) const {
    const auto e = double(spec_.num_experts);
    if (e < 1 || e > 8) return 0;
    // Apart enough for the focused row's numbers; elsewhere a row keeps clear of the next.
    return std::min(px(e <= 2 ? 12 : 10.4), (row_height - std::min(row_height * 0.32, px(8))) / e);
}

double FlowLayout::ribbonScale(double row_height) const {
    const double pitch = gatePitch(row_height);
    return pitch > 0 ? std::min(2 * pitch, px(18)) : std::clamp(row_height * 0.6, 1.5, px(18));
}

void FlowLayout::placeExperts() {
    const std::size_t e = spec_.num_experts;
    if (e == 0) return;
    const double a = area_.height(), w = experts.width();
    if (e <= 8) {
        form_ = ExpertForm::box, columns_ = 1, lines_ = e;
        pitch_ = std::min(a / double(e), px(120));
    } else if (a / double(e) >= px(13)) {
        form_ = ExpertForm::line, columns_ = 1, lines_ = e;
        pitch_ = std::min(a / double(e), px(34));
    } else {
        // The fewest columns whose cells can still hold a name; else square cells that fill the frame.
        const auto lines_for = [&](std::size_t columns) { return (e + columns - 1) / columns; };
        const double name = e > 99 ? 26 : 20;
        form_ = ExpertForm::cell;
        columns_ = 2;
        while (a / double(lines_for(columns_)) < px(14)) ++columns_;
        if (w / double(columns_) < px(name)) {
            // Square cells on whole pixels, as large as fit.
            form_ = ExpertForm::bare;
            double side = std::max(1.0, std::floor(std::min(px(20), std::sqrt(w * a / double(e)))));
            const auto columns_for = [&](double cell) { return std::max<std::size_t>(1, std::size_t(w / cell)); };
            while (side > 1 && double(lines_for(columns_for(side))) * side > a) side -= 1;
            columns_ = columns_for(side);
            lines_ = lines_for(columns_);
            cell_ = pitch_ = std::min(side, a / double(lines_));
            return;
        }
        lines_ = lines_for(columns_);
        pitch_ = std::min(a / double(lines_), px(26));
    }
    cell_ = w / double(columns_);
}

QRectF FlowLayout::expertsFrame() const {
    const double height = pitch_ * double(lines_);
    const double width = cell_ * double(columns_), left = experts.centre() - width / 2,
                 top_edge = area_.center().y() - height / 2;
    if (form_ == ExpertForm::bare)
        return {std::floor(left), std::max(area_.top(), std::floor(top_edge)), width, height};
    return {left, top_edge, width, height};
}

QRectF FlowLayout::expertSlot(std::size_t expert) const {
    const QRectF frame = expertsFrame();
    const double gap = form_ == ExpertForm::box    ? std::min(pitch_ * 0.14, px(12))
                       : form_ == ExpertForm::bare ? 0
                                                   : px(2);
    return QRectF(frame.left() + cell_ * double(expert % columns_), frame.top() + pitch_ * double(expert / columns_),
                  cell_, pitch_)
        .adjusted(columns_ > 1 ? gap / 2 : 0, gap / 2, columns_ > 1 ? -gap / 2 : 0, -gap / 2);
}

QRectF FlowLayout::expertBox(std::size_t expert, std::optional<double> load) const {
    QRectF box = expertSlot(expert);
    if (form_ != ExpertForm::box) return box;
    const double relative = load.value_or(1.0 / double(spec_.num_experts)) * double(spec_.num_experts);
    const double grown = std::clamp(relative / 2, 0.0, 1.0);  // even: half grown; twice that: all of it
    const double most = std::min(box.height(), px(92)), least = std::max(most * 0.68, std::min(most, px(19)));
    const double height = least + (most - least) * grown;
    return {box.left(), box.center().y() - height / 2, box.width(), height};
}

QPointF FlowLayout::expertEntry(std::size_t expert, double row_y) const {
    const QRectF slot = expertSlot(expert);
    const double share = std::clamp((row_y - area_.top()) / std::max(1.0, area_.height()), 0.0, 1.0) - 0.5;
    return {expertsFrame().left(), slot.center().y() + share * std::min(slot.height(), px(92)) * 0.3};
}

QPointF FlowLayout::expertExit(std::size_t expert) const {
    return {expertsFrame().right(), expertSlot(expert).center().y()};
}

QRectF FlowLayout::wordBar(std::size_t rank) const {
    const double pitch = px(22), height = px(18);
    const double first = sumCentre().y() - pitch * (double(listed_words_) + 1) / 2;
    return {words.left, first + pitch * double(rank) + (pitch - height) / 2, words.width(), height};
}

QRectF FlowLayout::wordSummary() const {
    QRectF bar = wordBar(listed_words_);
    return bar.adjusted(0, px(1), px(side_margin - 6), px(1));
}

double wordStart(double filled, double length, double left, double right, double gap) {
    const double behind = filled + gap;
    const bool cut = behind > left && filled < left + length + gap;
    return cut && behind + length <= right ? behind : left;
}

}  // namespace moe::app
