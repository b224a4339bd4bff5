#include "app/views/trace_stage_scene.h"

#include "app/models/operation_motion.h"
#include "app/models/operation_numbers.h"
#include "app/models/text_format.h"
#include "engine/core/family.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double margin = 16, widest_arrow = 11, thinnest_arrow = 1.3, smallest_type = 9.5;
constexpr std::size_t most_boxes = 8;  // experts beyond them are summed up in one

}  // namespace

TraceStageLayout::TraceStageLayout(QSizeF size, const Theme& theme, bool tokens) {
    const auto px = [&](double v) { return theme.px(v); };
    const double left = px(margin), right = size.width() - px(margin);
    area = QRectF(left, px(38), right - left, size.height() - px(38) - px(34));
    note = QRectF(left, size.height() - px(25), right - left, px(16));
    phrase_width = px(82), gate_width = px(112), experts_width = px(112), sum_radius = px(15), words_width = px(104),
    loss_width = px(70);
    // What is over that width goes to the ways between the parts, and a little to the strips; what lacks comes from
    // them.
    const double extra = std::max(-px(130), (right - left) - px(982));
    rows_width = px(64) + extra * 0.06;
    mean_width = px(74) + extra * 0.1;
    phrase = left;
    rows = phrase + phrase_width + px(10);
    mean = rows + rows_width + px(24) + extra * 0.07;
    gate = mean + mean_width + px(24) + extra * 0.09;
    experts = gate + gate_width + px(92) + extra * 0.26;
    if (tokens) experts -= px(20);
    sum = experts + experts_width + px(tokens ? 60 : 88) + extra * 0.26;  // left edge of the circle
    pool_width = tokens ? px(50) : 0;
    pool = sum + 2 * sum_radius + px(tokens ? 14 : 0);
    words = pool + pool_width + px(tokens ? 28 : 44) + extra * 0.08;
    loss = words + words_width + px(44) + extra * 0.08;
    loss_width = std::max(loss_width, right - loss);
    lane = area.bottom() - px(5);
    centre = (area.top() + area.bottom() - px(12)) / 2;
}

void TraceStageScene::setMoment(std::shared_ptr<const Trace> trace, std::size_t op, std::size_t example) {
    const bool same = trace == trace_ && example == example_;
    if (trace != trace_) steps_.clear();
    trace_ = std::move(trace);
    op_ = op, example_ = example;
    if (!same && trace_) {
        phrase_ = examplePhrase(*trace_, example_, *words_);
        tokens_ = routes_tokens(trace_->experiment.model);
        at_gate_ = tokens_ ? "embedding_rows" : "mean";
        at_head_ = tokens_ ? "mean" : "mixed";
        from_gate_ = tokens_ ? "d_rows_gate" : "d_mean_gate";
        from_experts_ = tokens_ ? "d_rows_experts" : "d_mean_experts";
        from_head_ = tokens_ ? "d_mean" : "d_mixed";
        token_ = followedToken(*trace_, example_, picked_);
        measure();
    }
}

void TraceStageScene::setPicked(std::optional<NumberRef> ref) {
    picked_ = std::move(ref);
    if (!trace_ || example_ >= trace_->examples) return;
    token_ = followedToken(*trace_, example_, picked_, token_);
    measure();
}

std::span<const float> TraceStageScene::whole(const char* name) const {
    const TraceValue* v = trace_->find(name);
    return v ? v->of(example_) : std::span<const float>();
}

std::size_t TraceStageScene::before(const char* name) const {
    return tokens_ && valueOfTokens(name) ? token_ * (whole(name).size() / trace_->routed_places()) : 0;
}

QString TraceStageScene::followed() const {
    const auto id = std::size_t(trace_->ids[example_ * trace_->routed_places() + token_]);
    return id == 0 ? tr("padding") : id < words_->size() ? shownText((*words_)[id]) : QString::number(id);
}

std::span<const float> TraceStageScene::value(const char* name) const {
    const auto all = whole(name);
    return tokens_ && valueOfTokens(name) ? all.subspan(before(name), all.size() / trace_->routed_places()) : all;
}

std::span<const float> TraceStageScene::value(const char* name, std::size_t visit) const {
    const TraceValue* v = trace_->find(name);
    return v ? v->of(example_, (tokens_ ? token_ * trace_->experts_per_token() : 0) + visit) : std::span<const float>();
}

void TraceStageScene::measure() {
    largest_ = 0;
    const auto take = [&](double norm) { largest_ = std::max(largest_, norm); };
    for (const char* name : {"d_logits", "d_mixed", from_gate_, from_experts_, "d_mean", "d_gate_probs_balance"})
        take(lengthOf(value(name)));
    for (const float v : value("d_expert_weights")) take(std::abs(double(v)));
    for (std::size_t k = 0; k < trace_->experts_per_token(); ++k) take(lengthOf(value("d_answers", k)));
}

double TraceStageScene::arrowWidth(double norm) const {
    if (!(norm > 0) || largest_ <= 0) return 0;
    return std::max(px(thinnest_arrow), px(widest_arrow) * norm / largest_);
}

std::size_t TraceStageScene::indexOf(std::string_view op) const {
    const auto found = std::ranges::find(trace_->ops, op, &TraceOp::id);
    return found == trace_->ops.end() ? std::size_t(-1) : std::size_t(found - trace_->ops.begin());
}

double TraceStageScene::appeared(std::string_view op) const {
    const std::size_t i = indexOf(op);
    if (i == std::size_t(-1) || i > op_) return 0;
    return i < op_ ? 1 : operationPose(op, time_).appear;
}

double TraceStageScene::travelled(std::string_view op) const {
    const std::size_t i = indexOf(op);
    if (i == std::size_t(-1) || i > op_) return 0;
    return i < op_ ? 1 : operationPose(op, time_).travel;
}

unsigned TraceStageScene::partsOf(std::string_view op) const {
    const unsigned head = tokens_ ? pool_part : sum_part;  // what the head reads
    if (op == "embedding_rows") return word_part | row_part | (tokens_ ? mean_part : 0u);
    if (op == "mean") return tokens_ ? sum_part | pool_part : row_part | mean_part;
    if (op == "mean_backward") return sum_part | pool_part;
    if (op == "gate_scores") return mean_part | gate_part;
    if (op == "gate_softmax" || op == "gate_softmax_backward") return gate_part;
    if (op == "top_k") return gate_part | expert_part;
    if (op == "expert_hidden" || op == "expert_hidden_backward") return mean_part | lane_part | expert_part;
    if (op == "expert_output" || op == "expert_output_backward") return expert_part;
    if (op == "weighted_sum" || op == "weighted_sum_to_experts") return expert_part | answer_part | sum_part;
    if (op == "vocabulary_scores") return head | head_part;
    if (op == "softmax_loss") return head_part | loss_part;
    if (op == "balance_loss" || op == "balance_to_gate") return gate_part | balance_part;
    if (op == "vocabulary_scores_backward") return loss_part | head_part | head;
    if (op == "weighted_sum_to_gate") return expert_part | gate_part;
    if (op == "gate_scores_backward") return gate_part | mean_part;
    if (op == "embedding_backward") return mean_part | row_part | word_part;
    return word_part | row_part | gate_part | expert_part | head_part;  // the update moves what has weights
}

double TraceStageScene::light(unsigned part) const {
    if (partsOf(trace_->ops[op_].id) & part) return 1;
    return 0.4;
}

void TraceStageScene::arrange() {
    // Words: all where there is room, else the first and the last ones.
    rows_.clear();
    const bool masked = trace_->experiment.model.mask_zero;
    if (phrase_.padding)
        rows_.push_back({tr("pad × %1").arg(phrase_.padding),
                         phrase_.padding ? std::optional<std::size_t>(0) : std::nullopt, true, masked});
    const std::size_t n = phrase_.words.size();
    const auto room = std::size_t(std::max(3.0, std::floor((at_.area.height() - px(10)) / px(25)))) - rows_.size();
    const std::size_t ahead = n <= room ? n : 1, behind = n <= room ? 0 : room - 2;
    for (std::size_t i = 0; i < ahead; ++i) rows_.push_back({shownText(phrase_.words[i]), phrase_.positions[i]});
    if (behind) rows_.push_back({tr("%1 more").arg(countText(n - ahead - behind)), std::nullopt});
    for (std::size_t i = n - behind; i < n; ++i) rows_.push_back({shownText(phrase_.words[i]), phrase_.positions[i]});
    row_pitch_ = rows_.empty() ? 0 : std::min(px(36), (at_.area.height() - px(10)) / double(rows_.size()));

    slots_.clear();
    const std::size_t E = trace_->experiment.model.num_experts, K = trace_->experts_per_token();
    const std::size_t routed = tokens_ ? example_ * trace_->routed_places() + token_ : example_;
    const auto chosen = [&](std::size_t k) { return std::size_t(trace_->expert_indices[routed * K + k]); };
    if (E <= most_boxes) {
        for (std::size_t e = 0; e < E; ++e) {
            Slot s;
            s.expert = e;
            for (std::size_t k = 0; k < K; ++k)
                if (chosen(k) == e) s.visit = k;
            slots_.push_back(s);
        }
    } else {
        std::vector<std::size_t> order(K);
        for (std::size_t k = 0; k < K; ++k) order[k] = k;
        const auto weights = value("expert_weights");
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
        order.resize(std::min<std::size_t>(K, 5));
        for (const std::size_t k : order) {
            Slot s;
            s.expert = chosen(k);
            s.visit = k;
            slots_.push_back(s);
        }
        Slot rest;
        rest.chosen = K - order.size(), rest.others = E - order.size();
        slots_.push_back(rest);
    }
    const double count = double(slots_.size()), tall = at_.lane - px(8) - at_.area.top();
    const double pitch = std::min(px(72), tall / count), box = std::min(px(50), pitch - std::min(px(12), pitch * 0.2));
    const double first = at_.centre - pitch * (count - 1) / 2;
    // Below the gate the balance loss has its place, and its arrow the way up.
    const bool balanced = trace_->experiment.model.balance_loss > 0 && !trace_->targets.empty();
    const double gate_room = balanced ? std::min(tall, 2 * (at_.lane - px(40) - at_.centre)) : tall - px(6);
    const double gate_pitch = std::min(px(17.5), (gate_room - px(14)) / count),
                 gate_height = gate_pitch * count + px(14);
    gate_box_ = QRectF(at_.gate, at_.centre - gate_height / 2, at_.gate_width, gate_height);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].box = QRectF(at_.experts, first + pitch * double(i) - box / 2, at_.experts_width, box);
        slots_[i].gate_y = gate_box_.top() + px(7) + gate_pitch * (double(i) + 0.5);
    }
    balance_box_ = QRectF(at_.gate, std::min(gate_box_.bottom() + px(16), at_.lane - px(24)), at_.gate_width, px(18));

    listed_.clear();
    const auto scores = value("logits");
    std::vector<std::size_t> order(scores.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::size_t shown = std::min<std::size_t>(at_.area.height() > px(190) ? 5 : 3, order.size());
    std::partial_sort(
        order.begin(), order.begin() + std::ptrdiff_t(shown), order.end(),
        [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
    order.resize(shown);
    listed_ = order;
    if (!trace_->targets.empty()) {
        const auto target = std::size_t(trace_->targets[example_]);
        if (std::ranges::find(listed_, target) == listed_.end() && !listed_.empty()) listed_.back() = target;
    }
}

double TraceStageScene::weightOf(const Slot& slot) const {
    const auto weights = value("expert_weights");
    if (slot.visit) return double(weights[*slot.visit]);
    if (slot.expert) return 0;
    double rest = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) rest += double(weights[k]);
    for (const Slot& s : slots_)
        if (s.visit) rest -= double(weights[*s.visit]);
    return std::max(0.0, rest);
}

double TraceStageScene::stepOf(const std::string& name, std::size_t first, std::size_t count) const {
    const auto [known, fresh] = steps_.try_emplace({name, first}, 0.0);
    if (!fresh) return known->second;
    const NamedArray* before = trace_->parameter(name);
    const auto after = std::ranges::find(trace_->new_parameters, name, &NamedArray::name);
    if (!before || after == trace_->new_parameters.end()) return 0;
    double sum = 0;
    for (std::size_t i = first; i < first + count && i < before->values.size(); ++i)
        sum += std::pow(double(after->values[i]) - double(before->values[i]), 2);
    return known->second = sum;
}

double TraceStageScene::batchGradientOf(const std::string& name, std::size_t first, std::size_t count) const {
    const auto [known, fresh] = steps_.try_emplace({"d:" + name, first}, 0.0);
    if (!fresh) return known->second;
    const NamedArray* g = trace_->gradient(name);
    double sum = 0;
    for (std::size_t i = first; g && i < first + count && i < g->values.size(); ++i)
        sum += std::pow(double(g->values[i]), 2);
    return known->second = sum;
}

const TraceStageScene::Spot* TraceStageScene::spotAt(QPointF point) const {
    const Spot* best = nullptr;
    for (const Spot& s : spots_)
        if (s.place.contains(point) &&
            (!best || s.place.width() * s.place.height() <= best->place.width() * best->place.height()))
            best = &s;
    return best;
}

QString TraceStageScene::summary() const {
    if (empty()) return {};
    const TraceOp& now = trace_->ops[op_];
    return tr("Operation %1 of %2: %3. Example: %4.")
        .arg(op_ + 1)
        .arg(trace_->ops.size())
        .arg(operationName(now, trace_->experiment.model), phrase_.arrowed());
}

}  // namespace moe::app
