// Painting of TraceStageScene: from left to right what the example meets.
#include "app/models/flow_layout.h"
#include "app/models/operation_formula.h"
#include "app/models/operation_motion.h"
#include "app/models/operation_numbers.h"
#include "app/models/ribbon.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/strip_paint.h"
#include "app/views/trace_stage_scene.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double smallest_type = 9.5;

QPen dashedPen(const QColor& color, double width) {
    QPen pen(color, width);
    pen.setDashPattern({3, 2.5});
    return pen;
}

double largestOf(std::span<const float> values) {
    float most = 0;
    for (const float v : values) most = std::max(most, std::abs(v));
    return double(most);
}

}  // namespace

QColor TraceStageScene::ink(double light) const {
    return dim(theme_.ink, light >= 1 ? 1 : 0.68);
}

QColor TraceStageScene::muted(double light) const {
    return light >= 1 ? theme_.muted : dim(theme_.muted, 0.85);
}

void TraceStageScene::text(const QRectF& rect, Qt::Alignment alignment, const QString& what, double pixels, int weight,
                           const QColor& color) {
    QPainter& p = *p_;
    p.setFont(theme_.font(pixels, weight));
    double width = tabularWidth(p.font(), what);
    // Smaller until it fits: widths do not shrink quite as sizes do.
    while (width > rect.width() && pixels > smallest_type) {
        pixels = std::max(smallest_type, std::min(pixels * rect.width() / width, pixels - 0.25));
        p.setFont(theme_.font(pixels, weight));
        width = tabularWidth(p.font(), what);
    }
    p.setPen(color);
    const bool cut = width > rect.width() + 0.5;
    if (cut) cut_ << what;
    drawTabular(p, rect, alignment, cut ? elided(QFontMetricsF(p.font()), what, rect.width()) : what);
}

void TraceStageScene::spot(const QRectF& place, const QString& tip, std::optional<NumberRef> ref) {
    spots_.push_back({place, tip, std::move(ref), std::nullopt});
}

ValueStrip TraceStageScene::stripOf(const char* name, std::size_t first, std::span<const float> values, bool gradient,
                                    const QString& of) const {
    ValueStrip s;
    s.title = symbolOf(name, trace_->experiment.model.router == "soft", tokens_);
    if (!of.isEmpty()) s.title += QStringLiteral("_{%1}").arg(FormulaText::literal(of, 12));
    s.first = ref(name, first);
    s.values = values;
    s.gradient = gradient;
    return s;
}

void TraceStageScene::strip(const QRectF& rect, const ValueStrip& s, double light, double shown) {
    if (s.values.empty() || shown <= 0) return;
    std::optional<std::size_t> picked;
    if (picked_ && picked_->name == s.first.name && picked_->example == s.first.example &&
        picked_->index >= s.first.index && picked_->index < s.first.index + s.values.size())
        picked = picked_->index - s.first.index;
    paintStrip(*p_, theme_, rect, s, light, shown, picked);
    spots_.push_back({rect, {}, std::nullopt, s});
}

void TraceStageScene::paint(QPainter& painter, QSizeF size) {
    spots_.clear();
    cut_.clear();
    if (empty() || example_ >= trace_->examples) return;
    p_ = &painter;
    painter.setRenderHint(QPainter::Antialiasing);
    at_ = TraceStageLayout(size, theme_, tokens_);
    arrange();
    paintCaptions();
    paintLane();
    paintRibbons();
    paintPhrase();
    paintMean();
    paintGate();
    paintBalance();
    paintExperts();
    paintSum();
    if (tokens_) paintPool();
    paintHead();
    paintLoss();
    paintGradients();
    paintNote();
    p_ = nullptr;
}

void TraceStageScene::paintCaptions() {
    const auto caption = [&](double left, double right, const QString& name) {
        text({left, px(14), right - left, px(16)}, Qt::AlignLeft | Qt::AlignVCenter, name, 11, QFont::Normal,
             theme_.muted);
    };
    caption(at_.phrase, at_.rows - px(4), tr("Phrase"));
    caption(at_.rows, at_.mean - px(4), tr("Embedding"));
    caption(at_.mean, at_.gate - px(4), tokens_ ? tr("Word") : tr("Mean"));
    caption(at_.gate, at_.experts - px(4), tr("Gate"));
    caption(at_.experts, at_.sum - px(4), tr("Experts"));
    caption(at_.sum, (tokens_ ? at_.pool : at_.words) - px(4), tr("Sum"));
    if (tokens_) caption(at_.pool, at_.words - px(4), tr("Mean"));
    caption(at_.words, at_.loss - px(4), tr("Next word"));
    if (!trace_->targets.empty()) caption(at_.loss, at_.loss + at_.loss_width, tr("Loss"));
}

void TraceStageScene::paintPhrase() {
    QPainter& p = *p_;
    const double lit = light(word_part), rows_lit = light(row_part);
    const double shown = travelled("embedding_rows"), mean_shown = tokens_ ? shown : travelled("mean");
    const std::size_t D = trace_->experiment.model.embedding_dim;
    const auto all = whole("embedding_rows");
    const double first = at_.centre - row_pitch_ * (double(rows_.size()) - 1) / 2;
    const double height = std::min(px(34), row_pitch_ - px(4));
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const WordRow& row = rows_[i];
        const double y = first + row_pitch_ * double(i);
        const QRectF pill(at_.phrase, y - height / 2, at_.phrase_width, height);
        const bool quiet = row.padding || !row.position;
        if (quiet) {
            p.setPen(dashedPen(muted(lit), 1));
            p.setBrush(theme_.panel);
        } else {
            p.setPen(Qt::NoPen);
            p.setBrush(lit >= 1 ? theme_.ink : dim(theme_.ink, 0.72));
        }
        const bool follows = !tokens_ || row.position == token_;
        p.drawRoundedRect(pill.adjusted(0.5, 0.5, -0.5, -0.5), height / 2, height / 2);
        text(pill.adjusted(px(6), 0, -px(6), 0), Qt::AlignCenter, row.label, height > px(26) ? 13 : 11,
             quiet ? QFont::Normal : QFont::DemiBold, quiet ? muted(1) : theme_.textOn(theme_.ink));
        if (row.left_out) {
            spot(pill, tr("Padding: the mask leaves it out."));
            text({at_.rows, y - px(8), at_.mean - at_.rows - px(6), px(16)}, Qt::AlignLeft | Qt::AlignVCenter,
                 tr("left out"), smallest_type, QFont::Normal, muted(1));
            continue;
        }
        if (!row.position) {
            spot(pill, tr("The phrase goes on here: %1").arg(phrase_.text().left(400)));
        } else {
            const auto id = trace_->ids[example_ * (all.size() / D) + *row.position];
            spot(pill, row.padding ? phrase_.padding == 1
                                         ? tr("The place before the phrase is padding: id 0, a row like any other.")
                                         : tr("%1 places before the phrase are padding: id 0, a row like any other.")
                                               .arg(phrase_.padding)
                                   : tr("“%1”: id %2, row %2 of the embedding.").arg(row.label, QString::number(id)));
            if (tokens_) spots_.back().ref = NumberRef{"embedding_rows", example_, *row.position * D};
            if (tokens_ && !follows) spots_.back().tip += u'\n' + tr("Click to follow it.");
        }
        const double thick = std::min(px(14), height * 0.55);
        const QRectF place(at_.rows, y - thick / 2, at_.rows_width, thick);
        p.setPen(QPen(dim(theme_.muted, shown > 0 ? 0.6 : 0.3), 1));
        p.drawLine(QPointF(pill.right(), y), QPointF(place.left(), y));
        if (row.position && *row.position * D + D <= all.size()) {
            p.setPen(Qt::NoPen);
            p.fillRect(place, theme_.track);
            ValueStrip own = stripOf("embedding_rows", 0, all.subspan(*row.position * D, D), false,
                                     row.padding ? tr("padding") : row.label);
            own.first.index = *row.position * D;
            strip(place, own, rows_lit, shown);
        }
        if (!follows) continue;
        Ribbon way{{place.right() + px(2), y}, {at_.mean - px(2), at_.centre}, px(1.2), dim(theme_.muted, 0.3)};
        drawRibbon(p, way);
        if (mean_shown > 0) {
            way.color = dim(theme_.muted, isNow(tokens_ ? "embedding_rows" : "mean") ? 1 : 0.6);
            const QPointF to = ribbonPoint(way, mean_shown);
            p.save();
            p.setClipRect(QRectF(way.from.x(), 0, to.x() - way.from.x(), 1e5));
            drawRibbon(p, way);
            p.restore();
        }
    }
}

void TraceStageScene::paintMean() {
    QPainter& p = *p_;
    const QRectF place(at_.mean, at_.centre - px(10), at_.mean_width, px(20));
    p.fillRect(place, theme_.track);
    if (const double shown = appeared(tokens_ ? "embedding_rows" : "mean"); shown > 0)
        strip(place, stripOf(at_gate_, 0, value(at_gate_), false, tokens_ ? followed() : QString()), light(mean_part),
              shown);
    if (tokens_)
        text({place.left(), place.top() - px(19), place.width() + px(20), px(16)}, Qt::AlignLeft | Qt::AlignVCenter,
             followed(), 12, QFont::DemiBold, ink(light(mean_part)));
    const double travel = travelled("gate_scores"), from = place.right() + px(2), to = at_.gate - px(3);
    p.setPen(QPen(dim(theme_.muted, 0.3), px(1.2)));
    p.drawLine(QPointF(from, at_.centre), QPointF(to, at_.centre));
    if (travel > 0) {
        p.setPen(QPen(dim(theme_.muted, isNow("gate_scores") ? 1 : 0.6), px(1.5)));
        p.drawLine(QPointF(from, at_.centre), QPointF(from + (to - from) * travel, at_.centre));
    }
}

// From the mean below the gate to the experts: what they read is the mean itself, not the gate's weights.
void TraceStageScene::paintLane() {
    QPainter& p = *p_;
    const double travel = travelled("expert_hidden");
    const bool now = isNow("expert_hidden");
    const double x0 = at_.mean + at_.mean_width / 2, x1 = at_.experts - px(9);
    std::vector<const Slot*> read;
    for (const Slot& s : slots_)
        if (s.visit || s.chosen) read.push_back(&s);
    if (read.empty()) return;
    const auto draw = [&](const QColor& color, double width) {
        p.setPen(QPen(color, width, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin));
        p.setBrush(Qt::NoBrush);
        QPainterPath path(QPointF(x0, at_.centre + px(10)));
        path.lineTo(x0, at_.lane);
        path.lineTo(x1, at_.lane);
        path.lineTo(x1, read.front()->box.bottom() - px(7));
        p.drawPath(path);
        for (const Slot* s : read)
            p.drawLine(QPointF(x1, s->box.bottom() - px(7)), QPointF(s->box.left(), s->box.bottom() - px(7)));
    };
    draw(dim(theme_.hairline, 1), px(1));
    if (travel <= 0) return;
    p.save();
    p.setClipRect(QRectF(0, 0, x0 + (at_.experts + px(2) - x0) * travel, 1e5));
    draw(dim(theme_.muted, now ? 1 : 0.35), now ? px(1.6) : px(1));
    p.restore();
}

void TraceStageScene::paintRibbons() {
    QPainter& p = *p_;
    const bool soft = trace_->experiment.model.router == "soft";
    const double chosen = travelled(soft ? "gate_softmax" : "top_k"), out = travelled("weighted_sum");
    const bool lit_in = isNow(soft ? "gate_softmax" : "top_k"), lit_out = isNow("weighted_sum");
    const double fade = backward() || updating() ? 0.16 : 0.4;
    double stacked = 0;
    for (const Slot& s : slots_) stacked += weightOf(s) * px(14);
    double y = at_.centre - stacked / 2;
    for (const Slot& s : slots_) {
        const double weight = weightOf(s);
        const QColor base = s.expert ? theme_.expert(*s.expert) : theme_.muted;
        const double width = std::max(px(0.8), weight * px(14));
        if (chosen > 0 && weight > 0) {
            Ribbon r{{gate_box_.right() + px(1), s.gate_y},
                     {s.box.left(), s.box.center().y()},
                     width,
                     dim(base, lit_in ? 0.9 : fade)};
            p.save();
            p.setClipRect(QRectF(r.from.x(), 0, (r.to.x() - r.from.x()) * chosen, 1e5));
            drawRibbon(p, r);
            p.restore();
        }
        if (weight > 0) {
            Ribbon r{{s.box.right(), s.box.center().y()},
                     {at_.sum + px(1), y + weight * px(7)},
                     width,
                     dim(base, lit_out ? 0.9 : fade)};
            y += weight * px(14);
            if (out > 0) {
                p.save();
                p.setClipRect(QRectF(r.from.x(), 0, (r.to.x() - r.from.x()) * out, 1e5));
                drawRibbon(p, r);
                p.restore();
            } else {
                r.width = px(1), r.color = dim(theme_.hairline, 1);
                drawRibbon(p, r);
            }
        }
    }
}

void TraceStageScene::paintGate() {
    QPainter& p = *p_;
    const std::string& now = trace_->ops[op_].id;
    const bool soft = trace_->experiment.model.router == "soft", here = now.starts_with("gate_") ||
                                                                        now == "weighted_sum_to_gate" ||
                                                                        now == "top_k" || now.starts_with("balance");
    const double lit = light(gate_part);
    const double radius = px(9);
    p.setPen(here ? QPen(backward() ? theme_.gradient : theme_.ink, px(2)) : QPen(dim(theme_.muted, 0.55), px(1.2)));
    p.setBrush(theme_.panel);
    p.drawRoundedRect(gate_box_.adjusted(1, 1, -1, -1), radius, radius);

    const auto z = value("gate_logits"), probs = value("gate_probs"), weights = value("expert_weights"),
               dz = value("d_gate_logits");
    const double scored = appeared("gate_scores"), softened = appeared("gate_softmax"), chosen = appeared("top_k"),
                 turned = updating() ? 0 : appeared("gate_softmax_backward");
    const double z_most = largestOf(z);
    const double bar_left = gate_box_.left() + px(26), number_left = gate_box_.right() - px(turned > 0 ? 49 : 44);
    const double room = number_left - px(4) - bar_left;
    for (const Slot& s : slots_) {
        const double thick = px(7);
        const QRectF track(bar_left, s.gate_y - thick / 2, room, thick);
        const QColor color = s.expert ? theme_.expert(*s.expert) : theme_.muted;
        const double strength = lit >= 1 ? 1 : 0.62;
        p.setPen(Qt::NoPen);
        p.setBrush(dim(color, strength));
        if (s.expert)
            p.drawPath(expertShape(*s.expert, {gate_box_.left() + px(14), s.gate_y}, px(8)));
        else
            text({gate_box_.left() + px(6), s.gate_y - px(7), px(18), px(14)}, Qt::AlignCenter, QStringLiteral("…"),
                 smallest_type, QFont::DemiBold, muted(1));
        p.setPen(Qt::NoPen);
        p.setBrush(theme_.track);
        p.drawRoundedRect(track, thick / 2, thick / 2);
        QString label;
        QString tip = s.expert ? tr("Expert %1").arg(expertName(*s.expert)) : tr("The other experts together");
        std::optional<NumberRef> ref;
        const double p_of = s.expert ? double(probs[*s.expert]) : [&] {
            double rest = 1;
            for (const Slot& other : slots_)
                if (other.expert) rest -= double(probs[*other.expert]);
            return std::max(0.0, rest);
        }();
        if (softened > 0) {
            // Out of the scores' signed bars grow the weights.
            const double weight = chosen > 0 ? weightOf(s) : p_of;
            const double value_now = chosen > 0 ? p_of + (weight - p_of) * chosen : weight * softened;
            if (chosen > 0 && !s.visit && !s.chosen) {
                p.setBrush(Qt::NoBrush);
                p.setPen(QPen(dim(color, strength), 1));
                p.drawRoundedRect(QRectF(track.left(), track.top(), std::max(thick, p_of * room), thick)
                                      .adjusted(0.5, 0.5, -0.5, -0.5),
                                  thick / 2, thick / 2);
                label = s.expert ? QStringLiteral("–") : gateText(p_of);
                tip += u'\n' + tr("probability %1, not chosen").arg(traceText(p_of));
                if (s.expert) ref = this->ref("gate_probs", *s.expert);
            } else {
                p.setBrush(dim(color, strength));
                const double width = std::max(thick, value_now * room);
                p.drawRoundedRect(QRectF(track.left(), track.top(), width, thick), thick / 2, thick / 2);
                label = gateText(weight);
                tip += u'\n' + (soft || chosen > 0 ? tr("gate weight %1").arg(traceText(weight))
                                                   : tr("probability %1").arg(traceText(weight)));
                if (chosen > 0 && s.others > s.chosen)
                    tip += u'\n' + tr("%1 of them chosen, %2 not").arg(s.chosen).arg(s.others - s.chosen);
                if (s.expert && (soft || chosen <= 0)) ref = this->ref("gate_probs", *s.expert);
                if (chosen > 0 && s.visit) ref = this->ref("expert_weights", *s.visit);
            }
        } else if (scored > 0 && s.expert && z_most > 0) {
            const double share = double(z[*s.expert]) / z_most * scored, half = room / 2;
            p.setPen(Qt::NoPen);
            p.setBrush(dim(theme_.signedValue(share), lit >= 1 ? 1 : 0.6));
            p.drawRect(QRectF(share < 0 ? track.center().x() + share * half : track.center().x(), track.top(),
                              std::abs(share) * half, thick));
            p.setPen(QPen(theme_.muted, 1));
            p.drawLine(QPointF(track.center().x(), track.top() - 1), QPointF(track.center().x(), track.bottom() + 1));
            label = briefText(double(z[*s.expert]));
            ref = this->ref("gate_logits", *s.expert);
            tip += u'\n' + tr("score %1").arg(traceText(double(z[*s.expert]), true));
        }
        const QRectF at(number_left, s.gate_y - px(7), gate_box_.right() - px(6) - number_left, px(14));
        if (turned > 0 && s.expert) {
            const double slope = double(dz[*s.expert]);
            text(at, Qt::AlignRight | Qt::AlignVCenter, briefText(slope, true), smallest_type, QFont::DemiBold,
                 dim(slope == 0 ? theme_.muted : theme_.gradient, now == "gate_softmax_backward" ? turned : 0.7));
            tip += u'\n' + tr("gradient of its score %1").arg(traceText(slope, true));
            ref = this->ref("d_gate_logits", *s.expert);
        } else if (updating() || !label.isEmpty()) {
            text(at, Qt::AlignRight | Qt::AlignVCenter, label, smallest_type, QFont::Normal, muted(1));
        }
        spot({gate_box_.left(), s.gate_y - px(8), gate_box_.width(), px(16)}, tip, ref);
    }
    if (updating()) {
        const std::size_t all = std::size_t(-1);
        const double step = std::sqrt(stepOf("gate/kernel", 0, all >> 1) + stepOf("gate/bias", 0, all >> 1));
        text({gate_box_.left(), gate_box_.top() - px(17), gate_box_.width(), px(14)}, Qt::AlignLeft | Qt::AlignVCenter,
             tr("step %1").arg(traceText(step * operationPose("adam", time_).appear)), 10.5, QFont::DemiBold,
             theme_.ink);
    }
}

void TraceStageScene::paintBalance() {
    if (trace_->experiment.model.balance_loss <= 0 || trace_->targets.empty()) return;
    QPainter& p = *p_;
    const double shown = appeared("balance_loss"), lit = light(balance_part);
    const bool here = isNow("balance_loss") || isNow("balance_to_gate");
    p.setPen(here ? QPen(backward() ? theme_.gradient : theme_.ink, px(1.6)) : QPen(dim(theme_.muted, 0.4), 1));
    p.setBrush(theme_.panel);
    p.drawRoundedRect(balance_box_, px(5), px(5));
    const QString label = shown > 0 ? tr("balance %1").arg(traceText(double(trace_->balance))) : tr("balance");
    text(balance_box_.adjusted(px(8), 0, -px(8), 0), Qt::AlignCenter, label, 10.5, QFont::Normal,
         shown > 0 ? ink(lit) : muted(lit));
    spot(balance_box_, tr("The batch's weighted balance loss B = %1: smallest where all experts are used alike.")
                           .arg(traceText(double(trace_->balance))));
}

void TraceStageScene::paintExperts() {
    for (const Slot& s : slots_) paintExpert(s);
}

void TraceStageScene::paintExpert(const Slot& s) {
    QPainter& p = *p_;
    const std::string& now = trace_->ops[op_].id;
    const ModelSpec& m = trace_->experiment.model;
    const bool chosen_yet = m.router == "soft" || appeared("top_k") > 0 || indexOf("top_k") < op_;
    const bool out = chosen_yet && !s.visit && !s.chosen;
    const bool some = chosen_yet && s.chosen && s.chosen < s.others;  // of the others
    const bool here = now.starts_with("expert_") && !out;
    const double lit = light(expert_part), radius = px(8), strength = out ? 0.4 : lit >= 1 ? 1 : 0.55;
    const QColor color = s.expert ? theme_.expert(*s.expert) : theme_.muted;
    const QRectF body = s.box.adjusted(0.75, 0.75, -0.75, -0.75);
    p.setBrush(theme_.panel);
    p.setPen(out ? dashedPen(dim(color, 0.6), px(1.2)) : QPen(dim(color, strength), px(here ? 2.2 : 1.5)));
    p.drawRoundedRect(body, radius, radius);

    const bool two_lines = s.box.height() >= px(34);
    const double cy = two_lines ? s.box.top() + px(updating() || out ? 12 : 14) : s.box.center().y();
    const double mark = std::min(px(12), s.box.height() * 0.5);
    double x = s.box.left() + px(11);
    if (s.expert) {
        p.setPen(Qt::NoPen);
        p.setBrush(dim(color, strength));
        p.drawPath(expertShape(*s.expert, {x + mark / 2, cy}, mark));
        x += mark + px(7);
        text({x, cy - px(10), px(24), px(20)}, Qt::AlignLeft | Qt::AlignVCenter, expertName(*s.expert),
             two_lines ? 14 : 12, QFont::DemiBold, out ? muted(1) : ink(lit));
        x += std::max(px(two_lines ? 22 : 15), p.fontMetrics().horizontalAdvance(expertName(*s.expert)) + px(6));
    } else {
        text({x, cy - px(10), s.box.right() - px(8) - x, px(20)}, Qt::AlignLeft | Qt::AlignVCenter,
             some ? tr("%1 chosen, %2 not").arg(s.chosen).arg(s.others - s.chosen)
                  : tr("%1 others").arg(countText(s.others)),
             12, QFont::Normal, muted(1));
    }
    const double weight = weightOf(s);
    QString tip = s.expert ? tr("Expert %1").arg(expertName(*s.expert)) : tr("All the other experts");
    if (some) tip += u'\n' + tr("%1 of them chosen, %2 not").arg(s.chosen).arg(s.others - s.chosen);
    const QRectF right(x, cy - px(9), s.box.right() - px(9) - x, px(18));
    const QRectF below(s.box.left() + px(10), s.box.bottom() - px(17), s.box.width() - px(20), px(14));
    const QRectF wide = two_lines ? below : right;
    if (updating() && s.expert) {
        double step = 0, gradient = 0;
        const std::size_t D = m.embedding_dim, H = m.hidden_dim, e = *s.expert;
        for (const auto& [name, size] : {std::pair<const char*, std::size_t>{"experts/hidden/kernel", D * H},
                                         {"experts/hidden/bias", H},
                                         {"experts/output/kernel", H * D},
                                         {"experts/output/bias", D}}) {
            step += stepOf(name, e * size, size);
            gradient += batchGradientOf(name, e * size, size);
        }
        const double shown = std::sqrt(step) * operationPose("adam", time_).appear;
        text(wide, two_lines ? Qt::AlignLeft | Qt::AlignVCenter : Qt::AlignRight | Qt::AlignVCenter,
             two_lines ? tr("step %1").arg(traceText(shown)) : traceText(shown), 10.5, QFont::DemiBold, theme_.ink);
        tip += u'\n' + tr("length of its step %1, of the batch's gradient %2")
                           .arg(traceText(std::sqrt(step)), traceText(std::sqrt(gradient)));
        if (gradient == 0) tip += u'\n' + tr("no gradient in this batch: it moves by its momentum alone");
    } else if (out && s.expert) {
        const QString silence = backward() ? tr("no gradient") : tr("not chosen");
        text(wide, two_lines ? Qt::AlignLeft | Qt::AlignVCenter : Qt::AlignRight | Qt::AlignVCenter, silence, 10.5,
             QFont::Normal, muted(1));
        tip += u'\n' + (tokens_ ? (backward() ? tr("not chosen for %1: it gets no gradient from it").arg(followed())
                                              : tr("not chosen for %1: it does no work").arg(followed()))
                        : backward() ? tr("not chosen for this phrase: it gets no gradient from it")
                                     : tr("not chosen for this phrase: it does no work"));
    } else if (s.expert || s.chosen) {
        const bool weighed = appeared(m.router == "soft" ? "gate_softmax" : "top_k") > 0;
        if (weighed && (s.expert || two_lines))
            text(s.expert ? right : below, Qt::AlignRight | Qt::AlignVCenter, percentText(weight), 11, QFont::Normal,
                 muted(1));
        if (weighed) tip += u'\n' + tr("gate weight %1").arg(traceText(weight));
    } else if (two_lines && chosen_yet) {
        text(below, Qt::AlignLeft | Qt::AlignVCenter, backward() ? tr("no gradient") : tr("not chosen"), 10.5,
             QFont::Normal, muted(1));
    }
    spot(s.box, tip);
    if (!s.visit || !two_lines || updating()) return;
    const QRectF place(s.box.left() + px(10), s.box.bottom() - px(13), s.box.width() - px(20), px(8));
    const std::size_t k = *s.visit, D = m.embedding_dim, H = m.hidden_dim;
    const QString of = expertName(*s.expert);
    if (now == "expert_output_backward" || now == "expert_hidden_backward") {
        const char* name = now == "expert_output_backward" ? "d_hidden" : "d_hidden_sums";
        strip(place, stripOf(name, k * H, value(name, k), true, of), lit, appeared(now));
    } else if (now == "weighted_sum_to_experts") {
        strip(place, stripOf("d_answers", k * D, value("d_answers", k), true, of), lit, appeared(now));
    } else if (appeared("expert_output") > 0) {
        p.fillRect(place, theme_.track);
        strip(place, stripOf("answers", k * D, value("answers", k), false, of), lit, appeared("expert_output"));
    } else if (appeared("expert_hidden") > 0) {
        p.fillRect(place, theme_.track);
        strip(place, stripOf("hidden", k * H, value("hidden", k), false, of), lit, appeared("expert_hidden"));
    }
}

void TraceStageScene::paintSum() {
    QPainter& p = *p_;
    const double r = at_.sum_radius, lit = light(sum_part);
    const QPointF centre(at_.sum + r, at_.centre);
    const bool here = isNow("weighted_sum");
    p.setPen(QPen(here ? theme_.ink : dim(theme_.ink, 0.7), px(here ? 2.2 : 1.5)));
    p.setBrush(theme_.panel);
    p.drawEllipse(centre, r - px(0.75), r - px(0.75));
    const QRectF place(centre.x() - r, centre.y() - r, 2 * r, 2 * r);
    text(place, Qt::AlignCenter, QStringLiteral("Σ"), 14, QFont::DemiBold, ink(lit));
    spot(place, tr("The answers, each times its gate weight, added up: y."));
    paintWay(at_.sum + 2 * r, tokens_ ? at_.pool : at_.words, tokens_ ? "mean" : "vocabulary_scores");
    const QRectF below(centre.x() - px(26), centre.y() + r + px(8), px(52), px(10));
    const char* const back = tokens_ ? "mean_backward" : "vocabulary_scores_backward";
    if (isNow(back))
        strip(below, stripOf("d_mixed", 0, value("d_mixed"), true), lit, appeared(back));
    else if (appeared("weighted_sum") > 0 && !backward())
        strip(below, stripOf("mixed", 0, value("mixed"), false), lit, appeared("weighted_sum"));
}

// A straight way between two parts, as far as `op` has gone it.
void TraceStageScene::paintWay(double from, double right, const char* op) {
    QPainter& p = *p_;
    const double out = travelled(op), to = right - px(4);
    p.setPen(QPen(dim(theme_.hairline, 1), px(1.2)));
    p.drawLine(QPointF(from, at_.centre), QPointF(to, at_.centre));
    if (out <= 0) return;
    p.setPen(QPen(dim(theme_.ink, isNow(op) ? 1 : backward() || updating() ? 0.2 : 0.5), px(2)));
    p.drawLine(QPointF(from, at_.centre), QPointF(from + (to - from) * out, at_.centre));
}

// Where each token is routed: the mean of all their sums, of which the followed one is one.
void TraceStageScene::paintPool() {
    QPainter& p = *p_;
    const double lit = light(pool_part), shown = appeared("mean");
    const QRectF place(at_.pool, at_.centre - px(10), at_.pool_width, px(20));
    p.fillRect(place, theme_.track);
    const char* const back = "vocabulary_scores_backward";
    if (isNow(back))
        strip(place, stripOf("d_mean", 0, value("d_mean"), true), lit, appeared(back));
    else if (shown > 0)
        strip(place, stripOf("mean", 0, value("mean"), false), lit, shown);
    const bool masked = trace_->experiment.model.mask_zero;
    const std::size_t places = masked ? phrase_.words.size() : trace_->routed_places();
    text({place.left() - px(8), place.bottom() + px(4), place.width() + px(16), px(14)}, Qt::AlignCenter,
         masked ? tr("of %1 words").arg(places) : tr("of %1 places").arg(places), smallest_type, QFont::Normal,
         muted(lit));
    paintWay(place.right(), at_.words, "vocabulary_scores");
}

void TraceStageScene::paintHead() {
    QPainter& p = *p_;
    const double scored = appeared("vocabulary_scores"), softened = appeared("softmax_loss"), lit = light(head_part);
    const auto scores = value("logits"), probs = value("probs"), slopes = value("d_logits");
    const double pitch = px(23), height = px(18), first = at_.centre - pitch * double(listed_.size()) / 2;
    const bool turned = isNow("vocabulary_scores_backward");
    double most = 0;
    for (const std::size_t w : listed_) most = std::max(most, std::abs(double(scores[w])));
    for (std::size_t i = 0; i < listed_.size(); ++i) {
        const std::size_t w = listed_[i];
        const QRectF bar(at_.words, first + pitch * double(i) + (pitch - height) / 2, at_.words_width, height);
        const bool target = !trace_->targets.empty() && std::size_t(trace_->targets[example_]) == w;
        p.setPen(Qt::NoPen);
        p.setBrush(theme_.track);
        p.drawRoundedRect(bar, px(4), px(4));
        const QString word = w < words_->size() ? shownText((*words_)[w]) : QString::number(w);
        QString number;
        QColor number_color = muted(1);
        const QColor full =
            target ? dim(theme_.ink, lit >= 1 ? 0.92 : 0.72) : Theme::mix(theme_.track, theme_.ink, 0.28);
        QRectF filled = bar;
        filled.setWidth(0);
        std::optional<NumberRef> ref;
        if (softened > 0) {
            filled.setWidth(std::max(px(2.5), bar.width() * double(probs[w]) * softened));
            p.save();
            p.setClipRect(filled);
            p.setBrush(full);
            p.drawRoundedRect(bar, px(4), px(4));
            p.restore();
            number = percentText(double(probs[w]));
            ref = NumberRef{"probs", example_, w};
        } else if (scored > 0) {
            number = briefText(double(scores[w]), true);
            ref = NumberRef{"logits", example_, w};
        }
        if (turned && appeared("vocabulary_scores_backward") > 0) {
            number = briefText(double(slopes[w]), true);
            ref = NumberRef{"d_logits", example_, w};
            number_color = theme_.gradient;
        }
        const double digits =
            number.isEmpty()
                ? 0
                : tabularWidth(theme_.font(smallest_type, turned ? QFont::DemiBold : QFont::Normal), number) + px(10);
        const QFont type = theme_.font(10.5, target ? QFont::DemiBold : QFont::Normal);
        const double end = std::max(px(2.5), bar.width() * double(probs[w])), left = px(8);
        const double behind =
            wordStart(end, QFontMetricsF(type).horizontalAdvance(word), left, bar.width() - digits, px(5));
        const double word_left = left + (behind - left) * softened;
        const auto label = [&](const QRectF& clip, const QColor& color, const QColor& digit_color) {
            if (clip.width() <= 0) return;
            p.save();
            p.setClipRect(clip);
            text(bar.adjusted(word_left, 0, -digits, 0), Qt::AlignLeft | Qt::AlignVCenter, word, 10.5,
                 target ? QFont::DemiBold : QFont::Normal, color);
            text(bar.adjusted(0, 0, -px(6), 0), Qt::AlignRight | Qt::AlignVCenter, number, smallest_type,
                 turned ? QFont::DemiBold : QFont::Normal, digit_color);
            p.restore();
        };
        QRectF rest = bar;
        rest.setLeft(filled.right());
        const QColor on_full = theme_.textOn(full);
        label(filled, target ? on_full : ink(lit),
              turned   ? (theme_.contrast(full, number_color) >= 3 ? number_color : on_full)
              : target ? on_full
                       : ink(lit));
        label(rest, ink(lit), number_color);
        if (target) {
            // A tick at the left: this is the right word.
            p.setPen(QPen(ink(lit), px(2), Qt::SolidLine, Qt::FlatCap));
            p.drawLine(QPointF(bar.left() - px(4), bar.top() + px(2)),
                       QPointF(bar.left() - px(4), bar.bottom() - px(2)));
        }
        QString tip = target ? tr("“%1”, the right word").arg(word) : tr("“%1”").arg(word);
        if (scored > 0) tip += u'\n' + tr("score %1").arg(traceText(double(scores[w]), true));
        if (softened > 0) tip += u'\n' + tr("probability %1").arg(traceText(double(probs[w])));
        if (turned) tip += u'\n' + tr("gradient of its score %1").arg(traceText(double(slopes[w]), true));
        spot(bar, tip, ref);
    }
    if (updating()) {
        const std::size_t all = std::size_t(-1) >> 1;
        const double step = std::sqrt(stepOf("head/kernel", 0, all) + stepOf("head/bias", 0, all));
        text({at_.words, first - px(18), at_.words_width, px(14)}, Qt::AlignLeft | Qt::AlignVCenter,
             tr("step %1").arg(traceText(step * operationPose("adam", time_).appear)), 10.5, QFont::DemiBold,
             theme_.ink);
        const double rows_step = std::sqrt(stepOf("embedding", 0, all));
        // Above the rows; where they fill the picture, above the mean.
        const double above = at_.centre - row_pitch_ * double(rows_.size()) / 2 - px(14);
        const bool room = above >= at_.area.top() - px(4);
        text({room ? at_.rows : at_.mean, room ? above : at_.centre - px(28), at_.mean - at_.rows, px(14)},
             Qt::AlignLeft | Qt::AlignVCenter,
             tr("step %1").arg(traceText(rows_step * operationPose("adam", time_).appear)), 10.5, QFont::DemiBold,
             theme_.ink);
    }
}

void TraceStageScene::paintLoss() {
    if (trace_->targets.empty()) return;
    const double shown = appeared("softmax_loss"), lit = light(loss_part);
    if (shown <= 0) return;
    const auto target = std::size_t(trace_->targets[example_]);
    const double loss_value = double(value("loss")[0]), share = double(value("probs")[target]);
    const QRectF big(at_.loss, at_.centre - px(20), at_.loss_width, px(22)),
        small(at_.loss, at_.centre + px(4), at_.loss_width, px(16));
    text(big, Qt::AlignLeft | Qt::AlignVCenter, lossText(loss_value), 17, QFont::DemiBold, ink(lit));
    text(small, Qt::AlignLeft | Qt::AlignVCenter, tr("−ln %1").arg(traceText(share)), 10.5, QFont::Normal, muted(lit));
    spot(big.united(small),
         tr("Loss of this example: −ln of the probability of the right word.\nMean of the batch: %1")
             .arg(traceText(double(trace_->loss))),
         NumberRef{"loss", example_, 0});
}

}  // namespace moe::app
