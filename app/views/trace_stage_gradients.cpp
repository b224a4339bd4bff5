// The backward pass on the stage: vermilion arrows from the loss to the words, as wide as their gradients.
#include "app/models/operation_motion.h"
#include "app/models/operation_numbers.h"
#include "app/models/tabular_text.h"
#include "app/views/trace_stage_scene.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

void TraceStageScene::arrow(QPointF from, QPointF to, double width, double progress, double light) {
    if (width <= 0 || progress <= 0) return;
    QPainter& p = *p_;
    const QColor color = dim(theme_.gradient, light >= 1 ? 1 : theme_.dark ? 0.62 : 0.6);
    const double head = std::max(px(7), width * 1.15), way = to.x() < from.x() ? -1 : 1;
    const QPointF end = to - QPointF(way * head, 0);
    QPainterPath path(from);
    const double half = (end.x() - from.x()) / 2;
    path.cubicTo(from + QPointF(half, 0), end - QPointF(half, 0), end);
    QPainterPath drawn(from);
    const int pieces = 28;
    const double u = std::clamp(progress, 0.0, 1.0);
    for (int i = 1; i <= pieces; ++i) drawn.lineTo(path.pointAtPercent(u * i / pieces));
    if (u >= 1) drawn.lineTo(end + QPointF(way * head * 0.3, 0));
    QPen pen(color, width, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin);
    p.strokePath(drawn, pen);
    const QPointF tip = u >= 1 ? end : path.pointAtPercent(u);
    const double side = std::max(px(3.4), width * 0.95);
    QPainterPath triangle(tip + QPointF(way * head, 0));
    triangle.lineTo(tip + QPointF(0, -side));
    triangle.lineTo(tip + QPointF(0, side));
    triangle.closeSubpath();
    p.fillPath(triangle, color);
}

void TraceStageScene::elbow(const std::vector<QPointF>& points, double width, double progress, double light) {
    if (width <= 0 || progress <= 0 || points.size() < 2) return;
    QPainter& p = *p_;
    const QColor color = dim(theme_.gradient, light >= 1 ? 1 : theme_.dark ? 0.62 : 0.6);
    double length = 0;
    for (std::size_t i = 1; i < points.size(); ++i) length += QLineF(points[i - 1], points[i]).length();
    const double head = std::max(px(7), width * 1.15);
    double left = std::max(0.0, length * progress - head);
    QPainterPath path(points[0]);
    QPointF at = points[0], way(0, -1);
    for (std::size_t i = 1; i < points.size() && left > 0; ++i) {
        const QLineF leg(points[i - 1], points[i]);
        if (leg.length() < 0.01) continue;
        const double share = std::min(1.0, left / leg.length());
        at = leg.pointAt(share);
        way = (leg.p2() - leg.p1()) / leg.length();
        path.lineTo(at);
        left -= leg.length();
    }
    p.strokePath(path, QPen(color, width, Qt::SolidLine, Qt::FlatCap, Qt::RoundJoin));
    const double side = std::max(px(3.4), width * 0.95);
    const QPointF across(-way.y(), way.x());
    QPainterPath triangle(at + way * head);
    triangle.lineTo(at + across * side);
    triangle.lineTo(at - across * side);
    triangle.closeSubpath();
    p.fillPath(triangle, color);
}

void TraceStageScene::paintGradients() {
    if (trace_->targets.empty() || (!backward() && !updating())) return;
    QPainter& p = *p_;
    const auto lit = [&](const char* op) { return isNow(op) ? 1.0 : 0.4; };
    const auto travel = [&](const char* op) { return updating() ? 0.0 : travelled(op); };
    // Loss to words, words to sum.
    if (const double t = travel("vocabulary_scores_backward"); t > 0) {
        const double l = lit("vocabulary_scores_backward");
        arrow({at_.loss - px(4), at_.centre}, {at_.words + at_.words_width + px(4), at_.centre},
              arrowWidth(lengthOf(value("d_logits"))), beatPart(t, 0, 0.5), l);
        arrow({at_.words - px(8), at_.centre},
              {(tokens_ ? at_.pool + at_.pool_width : at_.sum + 2 * at_.sum_radius) + px(3), at_.centre},
              arrowWidth(lengthOf(value(from_head_))), beatPart(t, 0.5, 1), l);
    }
    if (const double t = travel("mean_backward"); t > 0)
        arrow({at_.pool - px(2), at_.centre}, {at_.sum + 2 * at_.sum_radius + px(3), at_.centre},
              arrowWidth(lengthOf(value("d_mixed"))), t, lit("mean_backward"));
    double stacked = 0;
    for (const Slot& s : slots_)
        if (s.visit) stacked += std::max(px(3), arrowWidth(lengthOf(value("d_answers", *s.visit))));
    double y = at_.centre - stacked / 2;
    for (const Slot& s : slots_) {
        if (!s.visit) continue;
        const double norm = lengthOf(value("d_answers", *s.visit)), width = arrowWidth(norm),
                     share = std::max(px(3), width);
        const QPointF from(at_.sum - px(1), y + share / 2), to(s.box.right() + px(3), s.box.center().y());
        y += share;
        if (const double t = travel("weighted_sum_to_experts"); t > 0) {
            arrow(from, to, width, t, lit("weighted_sum_to_experts"));
            spot(QRectF(to, QSizeF(px(30), px(10))).translated(0, -px(5)),
                 tr("length of the gradient of its answer %1").arg(traceText(norm)));
        }
        const double slope = double(value("d_expert_weights")[*s.visit]);
        if (const double t = travel("weighted_sum_to_gate"); t > 0) {
            const double l = isNow("gate_softmax_backward") ? 1 : lit("weighted_sum_to_gate");
            const QPointF start(s.box.left() - px(3), s.box.center().y()), end(gate_box_.right() + px(3), s.gate_y);
            arrow(start, end, arrowWidth(std::abs(slope)), t, l);
        }
    }
    if (travel("weighted_sum_to_gate") > 0) paintGateNumbers();
    if (const double t = travel("balance_to_gate"); t > 0 && balance_box_.isValid()) {
        const double width = arrowWidth(lengthOf(value("d_gate_probs_balance")));
        elbow({{balance_box_.center().x(), balance_box_.top() - px(1)},
               {balance_box_.center().x(), gate_box_.bottom() + px(1)}},
              std::min(width, px(9)), t, lit("balance_to_gate"));
    }
    if (const double t = travel("gate_scores_backward"); t > 0)
        arrow({gate_box_.left() - px(2), at_.centre}, {at_.mean + at_.mean_width + px(2), at_.centre},
              arrowWidth(lengthOf(value(from_gate_))), t, lit("gate_scores_backward"));
    if (const double t = travel("expert_hidden_backward"); t > 0) {
        const double x0 = at_.mean + at_.mean_width / 2, x1 = at_.experts - px(9);
        const Slot* first = nullptr;
        for (const Slot& s : slots_)
            if (s.visit) {
                first = first ? first : &s;
                p.setPen(QPen(dim(theme_.gradient, lit("expert_hidden_backward") < 1 ? 0.6 : 1), px(1.5)));
                p.drawLine(QPointF(s.box.left(), s.box.bottom() - px(7)), QPointF(x1, s.box.bottom() - px(7)));
            }
        if (first)
            elbow({{x1, first->box.bottom() - px(7)}, {x1, at_.lane}, {x0, at_.lane}, {x0, at_.centre + px(12)}},
                  std::min(arrowWidth(lengthOf(value(from_experts_))), px(8)), t, lit("expert_hidden_backward"));
    }
    if (const double t = travel("embedding_backward"); t > 0) {
        const std::size_t D = trace_->experiment.model.embedding_dim;
        const auto all = whole("d_embedding_rows");
        const double top = at_.centre - row_pitch_ * (double(rows_.size()) - 1) / 2;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (!rows_[i].position || rows_[i].left_out) continue;
            const double norm = lengthOf(all.subspan(*rows_[i].position * D, D)), row_y = top + row_pitch_ * double(i);
            if (!tokens_ || rows_[i].position == token_)
                arrow({at_.mean - px(2), at_.centre}, {at_.rows + at_.rows_width + px(2), row_y}, arrowWidth(norm),
                      beatPart(t, 0, 0.7), lit("embedding_backward"));
            arrow({at_.rows - px(1), row_y}, {at_.phrase + at_.phrase_width, row_y}, std::min(arrowWidth(norm), px(4)),
                  beatPart(t, 0.7, 1), lit("embedding_backward"));
        }
    }
}

// Signed numbers at the arrows into the gate.
void TraceStageScene::paintGateNumbers() {
    QPainter& p = *p_;
    const auto slopes = value("d_expert_weights");
    const bool now = isNow("weighted_sum_to_gate") || isNow("gate_softmax_backward");
    const double shown = appeared("weighted_sum_to_gate");
    double last = -1e9;
    for (const Slot& s : slots_) {
        if (!s.visit) continue;
        const double slope = double(slopes[*s.visit]);
        const bool rising = s.box.center().y() < s.gate_y;
        const double width = arrowWidth(std::abs(slope)) / 2;
        double y = rising ? s.box.center().y() - width - px(15) : s.box.center().y() + width + px(3);
        // Numbers of boxes that stand close keep clear of each other.
        y = std::max(y, last + px(11));
        last = y;
        const QRectF at(at_.experts - px(62), y, px(48), px(12));
        // On the panel's own colour: arrows may pass below.
        p.setFont(theme_.font(10.5, QFont::DemiBold));
        const double wide = tabularWidth(p.font(), briefText(slope, true)) + px(4);
        p.setPen(Qt::NoPen);
        p.setBrush(theme_.panel);
        p.drawRoundedRect(QRectF(at.right() - wide, at.top(), wide + px(2), at.height()), px(3), px(3));
        text(at, Qt::AlignRight | Qt::AlignVCenter, briefText(slope, true), 10.5, QFont::DemiBold,
             dim(theme_.gradient, (now ? 1 : 0.75) * shown));
        spot(at, tr("Gradient of the gate weight of expert %1: %2").arg(expertName(*s.expert), traceText(slope, true)),
             ref("d_expert_weights", *s.visit));
    }
    p.setBrush(Qt::NoBrush);
}

void TraceStageScene::paintNote() {
    const QString name = operationName(trace_->ops[op_], trace_->experiment.model);
    QString note;
    if (updating())
        note = tr("Adam moves every number once, for the whole batch. A step is the length of all that moved there.");
    else if (backward())
        note = tr("Arrows run from the loss back to the words. Width is the size of the gradient: the widest is %1. "
                  "Now: %2.")
                   .arg(traceText(largest_), name);
    else
        note = tr("What has been computed is filled in; ribbons are as wide as the gate's weight. Now: %1.").arg(name);
    text(at_.note, Qt::AlignLeft | Qt::AlignVCenter, note, 11, QFont::Normal, theme_.muted);
}

}  // namespace moe::app
