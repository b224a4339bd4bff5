#include "app/views/stage_view_scene.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace moe::app {

namespace {

constexpr std::size_t npos = std::size_t(-1);
constexpr double ease_seconds = 0.05;

// A diverged model has NaN everywhere: the stage then shows nothing there.
float finite(float v) {
    return std::isfinite(v) ? v : 0.0f;
}

bool approach(float& shown, float target, float k, float near_enough) {
    const float goal = finite(target), step = goal - shown;
    if (std::abs(step) <= near_enough || k >= 1) {
        shown = goal;
        return true;
    }
    shown += step * k;
    return false;
}

bool approach(double& shown, double target, double k) {
    const double step = target - shown;
    if (std::abs(step) < 0.25 || k >= 1) {
        shown = target;
        return true;
    }
    shown += step * k;
    return false;
}

}  // namespace

void StageScene::setTheme(const Theme& theme) {
    theme_ = theme;
    relayout();
    settle();
}

void StageScene::resize(QSizeF size, double device_pixel_ratio) {
    if (size == size_ && device_pixel_ratio == ratio_) return;
    size_ = size, ratio_ = device_pixel_ratio;
    relayout();
    rows_ = layout_.rows();
    settle();
}

void StageScene::display(std::shared_ptr<const Snapshot> snapshot) {
    const auto old = std::exchange(snapshot_, std::move(snapshot));
    const ProbeForward &before = old->probe, &now = snapshot_->probe;
    const std::size_t e = numExperts(), p = prefixes();
    const ModelSpec &was = old->experiment.model, &is = snapshot_->experiment.model;
    const bool same_model = old->generation == snapshot_->generation && was.num_experts == is.num_experts &&
                            was.embedding_dim == is.embedding_dim;
    bool same_words = before.words.size() == now.words.size() && before.prefix_words == now.prefix_words;
    for (std::size_t i = 0; same_words && i < now.words.size(); ++i)
        same_words = before.words[i].text == now.words[i].text && before.words[i].id == now.words[i].id;

    // What stays in its place moves; what is new is simply there.
    const auto carry = [&](std::vector<float>& shown, const std::vector<float>& target) {
        const std::size_t kept = same_model ? std::min(shown.size(), target.size()) : 0;
        shown.resize(kept);
        for (std::size_t i = kept; i < target.size(); ++i) shown.push_back(finite(target[i]));
    };
    if (!same_model || !same_words || gate_.size() != now.gate_weights.size() || pooled_.size() != now.pooled.size()) {
        carry(gate_, now.gate_weights);
        carry(pooled_, now.pooled);
        prefix_of_row_.assign(now.words.size(), npos);
        for (std::size_t i = 0; i < p; ++i) prefix_of_row_[now.prefix_words[i]] = i;
        focus_ = p ? std::min(focus_, p - 1) : 0;
        lens_ = p ? double(now.prefix_words[focus_]) : 0;
    }
    if (load_.size() != snapshot_->load.size()) {
        // Before the first step an expert is drawn at the even share, and grows from there.
        load_.assign(snapshot_->load.size(), 1.0f / float(std::max<std::size_t>(1, e)));
    }
    std::vector<ShownWord> words;
    for (const WordProbability& w : now.focused.top) {
        const auto known = std::find_if(words_.begin(), words_.end(), [&](const ShownWord& s) { return s.id == w.id; });
        words.push_back({w.id, same_model && known != words_.end() ? known->probability : 0.0f});
    }
    words_ = std::move(words);

    if (focused_expert_ && *focused_expert_ >= e) focused_expert_.reset();
    if (!same_model || !same_words || now.focused.top.size() != before.focused.top.size()) relayout();
    findColoured();
    if (!same_model) settle();
    moving_ = !ease(0) || moving_;
    frame_stale_ = true;
}

void StageScene::relayout() {
    FlowSpec spec;
    spec.size = size_, spec.scale = theme_.scale;
    spec.num_experts = numExperts();
    spec.rows = snapshot_->probe.words.size();
    spec.focus_row = prefixes() ? snapshot_->probe.prefix_words[std::min(focus_, prefixes() - 1)] : npos;
    spec.lens = lens_;
    spec.predictions = snapshot_->probe.focused.top.size();
    layout_ = FlowLayout(spec);
    type_ = theme_;
    type_.scale = layout_.scale();
    for (int i = 0; i <= 2 * shade_steps; ++i)
        far_shades_[std::size_t(i)] = faint(theme_.signedValue(double(i) / shade_steps - 1), 0).rgb();

    const std::size_t before = rows_.size();
    rows_.resize(layout_.rows().size());
    emphasis_.resize(rows_.size(), 0);
    for (std::size_t i = before; i < rows_.size(); ++i) rows_[i] = layout_.rows()[i];
    moving_ = true;
    base_stale_ = frame_stale_ = true;
}

void StageScene::setFocusedPrefix(std::size_t prefix) {
    prefix = prefixes() ? std::min(prefix, prefixes() - 1) : 0;
    if (prefix == focus_) return;
    focus_ = prefix;
    if (prefixes()) lens_ = double(snapshot_->probe.prefix_words[focus_]);
    relayout();
    findColoured();
    if (reduced_motion_) settle();
}

void StageScene::setFocusedExpert(std::optional<std::size_t> expert) {
    if (expert && *expert >= numExperts()) expert.reset();
    if (expert == focused_expert_) return;
    focused_expert_ = expert;
    findColoured();
    base_stale_ = frame_stale_ = true;
}

bool StageScene::setHovered(const StageHit& hit) {
    if (hit.part == hovered_.part && hit.index == hovered_.index) return false;
    hovered_ = hit;
    base_stale_ = frame_stale_ = true;
    return true;
}

void StageScene::setKeyboardFocus(bool here) {
    if (here == keyboard_) return;
    keyboard_ = here;
    base_stale_ = frame_stale_ = true;
}

void StageScene::setReducedMotion(bool reduced) {
    reduced_motion_ = reduced;
    if (reduced) settle();
}

bool StageScene::scroll(double rows) {
    if (!layout_.fisheye()) return false;
    const double lens = std::clamp(lens_ + rows, 0.0, double(rows_.size() - 1));
    if (lens == lens_) return false;
    lens_ = lens;
    relayout();
    if (reduced_motion_) settle();
    return true;
}

void StageScene::followFocus() {
    if (!prefixes() || lens_ == double(snapshot_->probe.prefix_words[focus_])) return;
    lens_ = double(snapshot_->probe.prefix_words[focus_]);
    relayout();
}

bool StageScene::flowing() const {
    return snapshot_->state == SessionState::running && !reduced_motion_ && prefixes() > 0;
}

void StageScene::advance(double seconds) {
    time_ += seconds;
    if (moving_) {
        moving_ = !ease(reduced_motion_ ? 1.0 : 1 - std::exp(-seconds / ease_seconds));
        frame_stale_ = true;
    }
    if (flowing()) frame_stale_ = true;
}

void StageScene::settle() {
    ease(1);
    moving_ = false;
    base_stale_ = frame_stale_ = true;
}

bool StageScene::ease(double k) {
    const ProbeForward& probe = snapshot_->probe;
    const std::size_t e = numExperts(), d = prefixes() ? probe.pooled.size() / prefixes() : 0;
    const auto step = float(k);
    bool arrived = true, still = true;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const FlowRow row = rows_[i];
        const float emphasis = emphasis_[i];
        still &= approach(rows_[i].y, layout_.rows()[i].y, k);
        still &= approach(rows_[i].height, layout_.rows()[i].height, k);
        const bool focused = prefix_of_row_[i] == focus_ && prefixes() > 0;
        still &= approach(emphasis_[i], focused ? 1.0f : 0.0f, step, 0.01f);
        if (row != rows_[i] || emphasis != emphasis_[i]) base_stale_ = true;
    }
    arrived &= still;

    float largest = 0, farthest = 0;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        const std::size_t p = prefix_of_row_[row];
        if (p == npos) continue;
        if (!layout_.inSight(rows_[row])) continue;  // moves when it comes into sight
        for (std::size_t i = p * e; i < (p + 1) * e; ++i)
            arrived &= approach(gate_[i], probe.gate_weights[i], step, 0.0005f);
        for (std::size_t i = p * d; i < (p + 1) * d; ++i) {
            const float target = finite(probe.pooled[i]);
            pooled_[i] += (target - pooled_[i]) * step;
            farthest = std::max(farthest, std::abs(target - pooled_[i]));
            largest = std::max(largest, std::abs(target));
        }
    }
    arrived &= farthest <= std::max(largest * 0.005f, 1e-5f);
    arrived &= approach(pooled_scale_, largest, pooled_scale_ == 0 ? 1.0f : step, std::max(largest * 0.002f, 1e-5f));
    for (std::size_t i = 0; i < load_.size(); ++i) arrived &= approach(load_[i], snapshot_->load[i], step, 0.0005f);
    for (std::size_t i = 0; i < words_.size(); ++i)
        arrived &= approach(words_[i].probability, probe.focused.top[i].probability, step, 0.0005f);
    return arrived;
}

void StageScene::findColoured() {
    coloured_.clear();
    const std::size_t e = numExperts();
    if (e <= 8 || prefixes() == 0) return;
    const float* weights = snapshot_->probe.gate_weights.data() + focus_ * e;
    std::vector<std::size_t> order(e);
    for (std::size_t i = 0; i < e; ++i) order[i] = i;
    const auto strongest = order.begin() + std::ptrdiff_t(std::min(e, FlowLayout::listed_experts));
    std::partial_sort(order.begin(), strongest, order.end(), [&](std::size_t a, std::size_t b) {
        const float wa = finite(weights[a]), wb = finite(weights[b]);
        return wa != wb ? wa > wb : a < b;
    });
    for (auto it = order.begin(); it != strongest; ++it)
        if (finite(weights[*it]) > 0) coloured_.push_back(*it);
    // Who is picked out has a line among the strongest.
    if (focused_expert_ && finite(weights[*focused_expert_]) > 0 && !coloured_.empty() &&
        std::find(coloured_.begin(), coloured_.end(), *focused_expert_) == coloured_.end())
        coloured_.back() = *focused_expert_;
}

std::optional<std::size_t> StageScene::prefixOfRow(std::size_t row) const {
    if (row >= prefix_of_row_.size() || prefix_of_row_[row] == npos) return {};
    return prefix_of_row_[row];
}

const QImage& StageScene::frame() {
    const QSize pixels = (size_ * ratio_).toSize().expandedTo({1, 1});
    if (base_.size() != pixels || base_.devicePixelRatio() != ratio_) {
        base_ = QImage(pixels, QImage::Format_RGB32);
        frame_ = QImage(pixels, QImage::Format_RGB32);
        base_.setDevicePixelRatio(ratio_), frame_.setDevicePixelRatio(ratio_);
        base_stale_ = frame_stale_ = true;
    }
    if (base_stale_) {
        base_.fill(theme_.panel);
        cut_.clear();
        QPainter p(&base_);
        paintStatic(p);
        base_stale_ = false, frame_stale_ = true;
    }
    if (frame_stale_) {
        std::memcpy(frame_.bits(), base_.constBits(), std::size_t(base_.sizeInBytes()));
        RibbonCanvas canvas(frame_);
        QPainter p(&frame_);
        paintValues({p, &canvas});
        frame_stale_ = false;
    }
    return frame_;
}

void StageScene::paint(QPainter& painter, QSizeF size) const {
    StageScene copy(*this);
    copy.keyboard_ = false;
    copy.hovered_ = {};
    copy.on_paper_ = true;  // no probe line
    copy.time_ = 0;
    copy.resize(size, 1);
    copy.settle();
    copy.paintStatic(painter);
    copy.paintValues({painter, nullptr});
}

}  // namespace moe::app
