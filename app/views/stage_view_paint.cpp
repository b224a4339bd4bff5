// Painting of StageScene: first what stands still until the structure changes, then what moves with every snapshot.
#include "app/models/flow_timeline.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/stage_view_scene.h"
#include "engine/core/family.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double smallest_type = 9.5;
constexpr std::size_t other_ribbons = 2;  // where there are more than 8 experts: the strongest

QPen dashed(const QColor& color, double width) {
    QPen pen(color, width);
    pen.setDashPattern({3, 2.5});
    return pen;
}

}  // namespace

QFont StageScene::font(double pixels, int weight) const {
    return type_.font(pixels, weight);
}

// Text is first set smaller, then elided; what is cut is whole in the tooltip.
void StageScene::text(QPainter& p, const QRectF& rect, Qt::Alignment alignment, const QString& what, double pixels,
                      int weight, const QColor& color) const {
    p.setFont(font(pixels, weight));
    double width = QFontMetricsF(p.font()).horizontalAdvance(what);
    if (width > rect.width() && pixels > smallest_type) {
        p.setFont(font(std::max(smallest_type, pixels * rect.width() / width), weight));
        width = QFontMetricsF(p.font()).horizontalAdvance(what);
    }
    p.setPen(color);
    const bool cut = width > rect.width() + 0.01;
    if (cut) cut_ << what;
    const QString shown = cut ? QFontMetricsF(p.font()).elidedText(what, Qt::ElideRight, rect.width()) : what;
    p.drawText(rect, int(alignment | Qt::AlignAbsolute) | Qt::TextSingleLine | Qt::TextDontClip, shown);
}

QColor StageScene::faint(const QColor& color, double emphasis) const {
    return Theme::mix(theme_.panel, color, 0.34 + 0.66 * emphasis);
}

bool StageScene::coloured(std::size_t expert) const {
    return numExperts() <= 8 || focused_expert_ == expert ||
           std::find(coloured_.begin(), coloured_.end(), expert) != coloured_.end();
}

QColor StageScene::expertColor(std::size_t expert) const {
    return coloured(expert) ? theme_.expert(expert) : Theme::mix(theme_.panel, theme_.muted, 0.75);
}

bool StageScene::chosen(std::size_t expert) const {
    return prefixes() == 0 || snapshot_->probe.gate_weights[focus_ * numExperts() + expert] > 0;
}

double StageScene::expertDim(std::size_t expert) const {
    return !focused_expert_ || *focused_expert_ == expert ? 1 : 0.3;
}

// --- What stands still ---

void StageScene::paintStatic(QPainter& p) const {
    p.setRenderHint(QPainter::Antialiasing);
    paintCaptions(p);
    const std::size_t first = prefixes() ? snapshot_->probe.prefix_words.front() : 0;
    if (prefixes() && focus_ > 0) {
        // The bracket at the left: these words together are the prefix.
        const QRectF area = layout_.rowsArea();
        const FlowRow &from = rows_[first], &to = rows_[layout_.spec().focus_row];
        const double top = std::max(area.top(), from.y - layout_.pillHeight(from.height) / 2);
        const double bottom = std::min(area.bottom(), to.y + layout_.pillHeight(to.height) / 2);
        if (bottom > top) {
            p.setPen(QPen(theme_.muted, px(1.5), Qt::SolidLine, Qt::RoundCap));
            p.drawLine(QPointF(px(9.5), top), QPointF(px(9.5), bottom));
        }
    }
    for (std::size_t row = 0; row < rows_.size(); ++row)
        if (layout_.inSight(rows_[row])) paintRowStatic(p, row);

    if (layout_.windowed()) {
        const QRectF area = layout_.rowsArea();
        const auto more = [&](std::size_t count, const QString& sentence, double y) {
            if (count)
                text(p, {layout_.phrase.left, y, layout_.strip.right - layout_.phrase.left, px(14)},
                     Qt::AlignLeft | Qt::AlignVCenter, sentence, smallest_type, QFont::Normal, theme_.muted);
        };
        more(layout_.hiddenAbove(), tr("%1 more words above").arg(layout_.hiddenAbove()), area.top() - px(15));
        more(layout_.hiddenBelow(), tr("%1 more words below").arg(layout_.hiddenBelow()), area.bottom() + px(1));
        const double n = double(rows_.size());
        const double from = double(layout_.hiddenAbove()) / n, to = 1 - double(layout_.hiddenBelow()) / n;
        QRectF track(px(3), area.top(), px(3), area.height());
        p.setPen(Qt::NoPen);
        p.setBrush(theme_.track);
        p.drawRoundedRect(track, px(1.5), px(1.5));
        const double thumb = std::max(px(10), track.height() * (to - from));
        track = {track.left(), track.top() + (track.height() - thumb) * (to - from < 1 ? from / (1 - (to - from)) : 0),
                 track.width(), thumb};
        p.setBrush(theme_.muted);
        p.drawRoundedRect(track, px(1.5), px(1.5));
    }
    if (prefixes() == 0) paintInvitation(p);

    if (on_paper_) return;
    const QRectF probe = layout_.probeRow();
    p.setPen(QPen(theme_.hairline, 1));
    p.drawLine(QPointF(0, std::floor(probe.top()) + 0.5), QPointF(probe.right(), std::floor(probe.top()) + 0.5));
}

void StageScene::paintCaptions(QPainter& p) const {
    const bool tokens = snapshot_ && routes_tokens(snapshot_->experiment.model);
    const std::array<QString, 6> captions = {tr("Phrase"),
                                             tokens ? tr("Embedding") : tr("Embedding, mean"),
                                             tr("Gate"),
                                             tr("Experts"),
                                             tokens ? tr("Mean") : tr("Sum"),
                                             tr("Next word")};
    for (std::size_t i = 0; i < captions.size(); ++i)
        text(p, layout_.captions()[i], Qt::AlignLeft | Qt::AlignVCenter, captions[i], 11, QFont::Normal, theme_.muted);
}

void StageScene::paintRowStatic(QPainter& p, std::size_t row) const {
    const FlowRow& place = rows_[row];
    const ProbeWord& word = snapshot_->probe.words[row];
    const bool known = prefix_of_row_[row] != std::size_t(-1);
    const double emphasis = emphasis_[row], h = layout_.pillHeight(place.height);
    const bool in_prefix = known && prefix_of_row_[row] <= focus_;
    const QString label = shownText(word.text);
    const double size = h >= px(26) ? 13 : h >= px(17) ? 11 : smallest_type;
    QRectF pill(layout_.phrase.left, place.y - h / 2, layout_.phrase.width(), h);

    if (h < px(11)) {
        // Too low for letters: a stroke as long as the word.
        const double length = QFontMetricsF(font(smallest_type)).horizontalAdvance(label);
        pill.setWidth(std::clamp(length, px(6), pill.width()));
        p.setPen(Qt::NoPen);
        p.setBrush(Theme::mix(theme_.panel, theme_.muted, known ? in_prefix ? 0.8 : 0.45 : 0.2));
        p.drawRoundedRect(pill, h / 2, h / 2);
    } else {
        const QColor back =
            known ? Theme::mix(theme_.dark ? theme_.track : theme_.panel, theme_.ink, emphasis) : theme_.panel;
        const QColor outline = Theme::mix(in_prefix ? Theme::mix(theme_.hairline, theme_.muted, 0.7) : theme_.hairline,
                                          theme_.ink, emphasis);
        const bool pointed =
            hovered_.index == row && (hovered_.part == StagePart::word || hovered_.part == StagePart::gate ||
                                      hovered_.part == StagePart::embedding);
        p.setPen(known ? QPen(pointed ? theme_.ink : outline, pointed ? px(1.5) : 1) : dashed(theme_.muted, 1));
        p.setBrush(back);
        p.drawRoundedRect(pill.adjusted(0.5, 0.5, -0.5, -0.5), h / 2, h / 2);
        const QColor ink = known
                               ? Theme::mix(in_prefix ? theme_.ink : theme_.muted, theme_.textOn(theme_.ink), emphasis)
                               : theme_.muted;
        text(p, pill.adjusted(px(8), 0, -px(8), 0), Qt::AlignCenter, label, size,
             emphasis > 0.5 ? QFont::DemiBold : QFont::Normal, ink);
        if (!known) {
            const double length = std::min(pill.width() - px(16), QFontMetricsF(p.font()).horizontalAdvance(label));
            p.setPen(QPen(theme_.muted, 1));
            p.drawLine(QPointF(pill.center().x() - length / 2, place.y),
                       QPointF(pill.center().x() + length / 2, place.y));
        }
        if (keyboard_ && emphasis > 0.5) {
            p.setBrush(Qt::NoBrush);
            p.setPen(QPen(theme_.ink, px(1.5)));
            p.drawRoundedRect(pill.adjusted(-px(3), -px(3), px(3), px(3)), h / 2 + px(3), h / 2 + px(3));
        }
    }
    if (!known) {
        if (h >= px(11) && prefixes())
            text(p, {layout_.strip.left, place.y - px(8), layout_.numbers.right - layout_.strip.left, px(16)},
                 Qt::AlignLeft | Qt::AlignVCenter, tr("unknown word, left out"), 10.5, QFont::Normal, theme_.muted);
        return;
    }
    const double thickness = std::min(px(1.5), std::max(0.5, place.height / 6));
    p.setPen(QPen(Theme::mix(theme_.hairline, theme_.muted, emphasis), thickness));
    const auto line = [&](double from, double to) { p.drawLine(QPointF(from, place.y), QPointF(to, place.y)); };
    line(pill.right(), layout_.strip.left);
    line(layout_.strip.right, layout_.gate.left - px(4));

    const double pitch = layout_.gatePitch(place.height);
    if (pitch >= px(3.5)) {
        // The tracks of the gate's bars: the whole length is a weight of 1.
        p.setPen(Qt::NoPen);
        p.setBrush(Theme::mix(theme_.panel, theme_.track, 0.5 + 0.5 * emphasis));
        const double thick = std::min(pitch * 0.76, px(7));
        for (std::size_t e = 0; e < numExperts(); ++e) {
            const double y = place.y + (double(e) - (double(numExperts()) - 1) / 2) * pitch;
            p.drawRoundedRect(QRectF(layout_.gate.left, y - thick / 2, layout_.gate.width(), thick), thick / 2,
                              thick / 2);
        }
    }
}

void StageScene::paintInvitation(QPainter& p) const {
    const bool words = !snapshot_->probe.words.empty();
    const QString line = numExperts() == 0 ? tr("Open a lesson or a text to begin.")
                         : words           ? tr("The model knows none of these words.")
                                           : tr("Type a phrase below and watch its way through the model.");
    const double left = words ? layout_.strip.left : layout_.phrase.left;
    const QRectF place(left, layout_.area().center().y() - px(30), layout_.numbers.right - left, px(60));
    const int flags = int(Qt::AlignLeft) | Qt::TextWordWrap;
    p.setFont(font(15, QFont::DemiBold));
    QRectF first = p.boundingRect(place, flags, line);
    const QFont small = font(13);
    const QString second = !example_.isEmpty() && numExperts() ? tr("For example: %1").arg(example_) : QString();
    const double below =
        second.isEmpty() ? 0 : px(6) + QFontMetricsF(small).boundingRect(place, flags, second).height();
    first.moveTop(place.center().y() - (first.height() + below) / 2);
    first.setWidth(place.width());
    p.setPen(theme_.ink);
    p.drawText(first, flags | Qt::TextDontClip, line);
    p.setFont(small);
    p.setPen(theme_.muted);
    if (below > 0) p.drawText(first.translated(0, first.height() + px(6)), flags | Qt::TextDontClip, second);
}

// --- What moves ---

void StageScene::paintValues(Surface s) const {
    s.p.setRenderHint(QPainter::Antialiasing);
    std::vector<Dot> dots;
    const std::size_t focus_row = layout_.spec().focus_row;
    const auto each_row = [&](auto&& draw) {
        for (std::size_t row = 0; row < rows_.size(); ++row)
            if (prefix_of_row_[row] != std::size_t(-1) && layout_.inSight(rows_[row])) draw(row, prefix_of_row_[row]);
    };
    each_row([&](std::size_t row, std::size_t prefix) {
        if (row != focus_row) paintRibbons(s, row, prefix, dots);
    });
    if (focus_row < rows_.size() && prefixes() && layout_.inSight(rows_[focus_row]))
        paintRibbons(s, focus_row, focus_, dots);
    each_row([&](std::size_t row, std::size_t prefix) {
        paintStrip(s, row, prefix);
        paintGate(s, row, prefix);
    });
    if (numExperts() == 0) return;
    paintAnswers(s, dots);
    if (s.canvas)
        for (const Dot& dot : dots) s.canvas->dot(dot.centre, dot.radius, dot.color);
    paintExperts(s);
    if (prefixes() == 0) return;
    paintSum(s.p);
    paintWords(s.p);
}

void StageScene::paintStrip(Surface s, std::size_t row, std::size_t prefix) const {
    const std::size_t d = pooled_.size() / prefixes();
    const FlowRow& place = rows_[row];
    const double h = layout_.stripHeight(place.height);
    const QRectF strip(layout_.strip.left, place.y - h / 2, layout_.strip.width(), h);
    // At most one stripe a device pixel; a stripe for several numbers shows the strongest of them.
    const bool far = emphasis_[row] == 0;
    const std::size_t stripes = std::min(d, std::size_t(std::max(1.0, strip.width() * ratio_)));
    for (std::size_t i = 0; i < stripes; ++i) {
        const std::size_t from = i * d / stripes, to = (i + 1) * d / stripes;
        float value = 0;
        for (std::size_t k = from; k < to; ++k)
            if (std::abs(pooled_[prefix * d + k]) > std::abs(value)) value = pooled_[prefix * d + k];
        const double share = pooled_scale_ > 0 ? std::clamp(double(value / pooled_scale_), -1.0, 1.0) : 0;
        const QColor color = far ? QColor::fromRgb(far_shades_[std::size_t(std::lround((share + 1) * shade_steps))])
                                 : faint(theme_.signedValue(share), emphasis_[row]);
        const double x0 = strip.left() + strip.width() * double(i) / double(stripes);
        const QRectF stripe(x0, strip.top(), strip.width() / double(stripes), h);
        s.canvas ? s.canvas->fill(stripe, color.rgb()) : s.p.fillRect(stripe, color);
    }
}

void StageScene::paintGate(Surface s, std::size_t row, std::size_t prefix) const {
    if (layout_.listsExperts()) {
        emphasis_[row] > 0.5 ? paintGateList(s, row, prefix) : paintGateHistogram(s, row, prefix);
        return;
    }
    const FlowRow& place = rows_[row];
    const std::size_t e = numExperts();
    const double pitch = layout_.gatePitch(place.height), emphasis = emphasis_[row];
    if (pitch < px(3.5)) {
        // No room for bars: one bar whose parts are the weights.
        const double h = std::clamp(place.height * 0.6, 1.5, px(8));
        double x = layout_.gate.left;
        for (std::size_t i = 0; i < e; ++i) {
            const QRectF part(x, place.y - h / 2, gateAt(prefix, i) * layout_.gate.width(), h);
            const QColor color = Theme::mix(theme_.panel, expertColor(i), 0.45 + 0.55 * emphasis);
            s.canvas ? s.canvas->fill(part, color.rgb()) : s.p.fillRect(part, color);
            x += part.width();
        }
        return;
    }
    const double thick = std::min(pitch * 0.76, px(7));
    for (std::size_t i = 0; i < e; ++i) {
        const double y = place.y + (double(i) - (double(e) - 1) / 2) * pitch, weight = gateAt(prefix, i);
        const bool taken = snapshot_->probe.gate_weights[prefix * e + i] > 0;
        const double probability =
            snapshot_->probe.gate_probs.empty() ? 0 : snapshot_->probe.gate_probs[prefix * e + i];
        const QColor color = Theme::mix(theme_.panel, expertColor(i), 0.45 + 0.55 * emphasis);
        if (weight > 0.001) {
            s.p.setPen(Qt::NoPen);
            s.p.setBrush(color);
            const double width = std::max(thick * 0.6, weight * layout_.gate.width());
            s.p.drawRoundedRect(QRectF(layout_.gate.left, y - thick / 2, width, thick), std::min(width, thick) / 2,
                                thick / 2);
        } else if (!taken && probability > 0 && emphasis > 0.5) {
            // Not chosen: its softmax share is an empty outline.
            s.p.setPen(QPen(color, 1));
            s.p.setBrush(Qt::NoBrush);
            const double width = std::max(thick, probability * layout_.gate.width());
            s.p.drawRoundedRect(QRectF(layout_.gate.left, y - thick / 2, width, thick).adjusted(0.5, 0.5, -0.5, -0.5),
                                thick / 2, thick / 2);
        }
        if (emphasis > 0.5) {
            s.p.setFont(font(smallest_type));
            s.p.setPen(taken ? theme_.ink : theme_.muted);
            drawTabular(s.p, QRectF(layout_.gate.right + px(6), y - px(6), layout_.numbers.width() - px(8), px(12)),
                        Qt::AlignLeft | Qt::AlignVCenter, taken ? gateText(weight) : QStringLiteral("–"));
        }
    }
}

void StageScene::paintGateList(Surface s, std::size_t row, std::size_t prefix) const {
    const FlowRow& place = rows_[row];
    // With top-k nothing is left for the others.
    const float* weights = &snapshot_->probe.gate_weights[prefix * numExperts()];
    const auto chosen_ones = std::size_t(std::count_if(weights, weights + numExperts(), [](float w) { return w > 0; }));
    const bool more = chosen_ones > coloured_.size();
    const std::size_t lines = coloured_.size() + more;
    const double pitch = std::min(px(11.5), (place.height - px(2)) / double(std::max<std::size_t>(1, lines)));
    const double thick = std::min(pitch * 0.6, px(7));
    const double name = px(numExperts() > 999 ? 29 : 23), bars = layout_.gate.width() - name;
    double y = place.y - pitch * (double(lines) - 1) / 2, others = 1;
    const auto line = [&](const QString& label, double label_width, double weight, int boldness, const QColor& ink) {
        text(s.p, {layout_.gate.left, y - px(7), label_width, px(14)}, Qt::AlignLeft | Qt::AlignVCenter, label,
             smallest_type, boldness, ink);
        s.p.setPen(ink);
        s.p.setFont(font(smallest_type));
        drawTabular(s.p, QRectF(layout_.gate.right + px(6), y - px(6), layout_.numbers.width() - px(8), px(12)),
                    Qt::AlignLeft | Qt::AlignVCenter, gateText(weight));
        y += pitch;
    };
    for (const std::size_t e : coloured_) {
        const double weight = gateAt(prefix, e);
        others -= weight;
        const QRectF track(layout_.gate.left + name, y - thick / 2, bars, thick);
        s.p.setPen(Qt::NoPen);
        s.p.setBrush(theme_.track);
        s.p.drawRoundedRect(track, thick / 2, thick / 2);
        s.p.setBrush(expertColor(e));
        const double width = std::max(weight > 0 ? thick * 0.6 : 0.0, weight * bars);
        s.p.drawRoundedRect(QRectF(track.left(), track.top(), width, thick), std::min(width, thick) / 2, thick / 2);
        line(expertName(e), name - px(3), weight, QFont::DemiBold, theme_.ink);
    }
    if (more)
        line(tr("%1 more").arg(chosen_ones - coloured_.size()), layout_.gate.width(), std::max(0.0, others),
             QFont::Normal, theme_.muted);
}

void StageScene::paintGateHistogram(Surface s, std::size_t row, std::size_t prefix) const {
    const FlowRow& place = rows_[row];
    const std::size_t e = numExperts();
    const double width = layout_.gate.width();
    const std::size_t bins = std::min(e, std::size_t(std::max(1.0, width / px(2))));
    std::vector<double> sums(bins);
    double most = 0;
    for (std::size_t b = 0; b < bins; ++b) {
        for (std::size_t i = b * e / bins; i < (b + 1) * e / bins; ++i) sums[b] += gateAt(prefix, i);
        most = std::max(most, sums[b]);
    }
    const double h = std::clamp(place.height - px(6), 2.0, px(18));
    const bool heat = place.height < px(11);
    const double step = width / double(bins);
    for (std::size_t b = 0; b < bins; ++b) {
        const double share = most > 0 ? sums[b] / most : 0;
        const QColor ink = bins == e && coloured(b) ? expertColor(b) : theme_.muted;
        const QColor color = Theme::mix(theme_.panel, ink, heat ? 0.12 + 0.5 * share : 0.5);
        const double bar = heat ? h : std::max(1.0, share * h);
        const QRectF rect(layout_.gate.left + step * double(b), place.y + h / 2 - bar, step * 0.86, bar);
        s.canvas ? s.canvas->fill(rect, color.rgb()) : s.p.fillRect(rect, color);
    }
}

void StageScene::paintRibbons(Surface s, std::size_t row, std::size_t prefix, std::vector<Dot>& dots) const {
    const FlowRow& place = rows_[row];
    const std::size_t e = numExperts();
    const double emphasis = emphasis_[row], scale = layout_.ribbonScale(place.height),
                 pitch = layout_.gatePitch(place.height);
    std::vector<std::size_t> drawn;
    drawn.reserve(e);
    // The focused row shows every ribbon; in the others a third of a pixel at their strength cannot be seen.
    const auto least = float(emphasis > 0 ? 0.0005 : std::max(0.0005, 0.34 / (scale * ratio_)));
    for (std::size_t i = 0; i < e; ++i)
        if (gateAt(prefix, i) > least) drawn.push_back(i);
    const std::size_t most = e <= 8 ? e : row == layout_.spec().focus_row ? focused_ribbons : other_ribbons;
    if (drawn.size() > most) {
        std::nth_element(drawn.begin(), drawn.begin() + std::ptrdiff_t(most), drawn.end(),
                         [&](std::size_t a, std::size_t b) {
                             const float wa = gateAt(prefix, a), wb = gateAt(prefix, b);
                             return wa != wb ? wa > wb : a < b;
                         });
        drawn.resize(most);
        std::sort(drawn.begin(), drawn.end());
    }
    double stacked = 0;
    for (std::size_t i : drawn) stacked += gateAt(prefix, i) * scale;
    double y = place.y - stacked / 2;

    const FlowPosition token = FlowTimeline::position(prefix, time_);
    const bool tokens = flowing() && s.canvas;
    const double alpha = (theme_.dark ? 0.24 : 0.18) + (0.86 - (theme_.dark ? 0.24 : 0.18)) * emphasis;
    const double radius = std::clamp(place.height * 0.16, 1.2, px(3.2));
    const auto dot = [&](QPointF at, double r, QColor color, double strength) {
        color.setAlphaF(float(strength * (0.35 + 0.65 * emphasis)));
        dots.push_back({at, r, color});
    };
    for (std::size_t i : drawn) {
        Ribbon ribbon;
        ribbon.width = std::max(gateAt(prefix, i) * scale, emphasis > 0 ? 0.6 : 0.0);
        ribbon.from = {layout_.ribbonStart(), pitch > 0 ? place.y + (double(i) - (double(e) - 1) / 2) * pitch
                                                        : y + gateAt(prefix, i) * scale / 2};
        y += gateAt(prefix, i) * scale;
        ribbon.to = layout_.expertEntry(i, place.y);
        ribbon.color = expertColor(i);
        ribbon.color.setAlphaF(float(alpha * expertDim(i)));
        s.canvas ? s.canvas->draw(ribbon) : drawRibbon(s.p, ribbon);
        if (tokens && token.leg == FlowLeg::to_experts)
            dot(ribbonPoint(ribbon, token.share), std::max(1.0, radius * std::sqrt(gateAt(prefix, i)) * 1.3),
                expertColor(i), expertDim(i));
    }
    if (!tokens) return;
    const auto along = [&](double from, double to) {
        dot({from + (to - from) * token.share, place.y}, radius, theme_.ink, 0.9);
    };
    if (token.leg == FlowLeg::to_mean) along(layout_.phrase.right, layout_.strip.left);
    if (token.leg == FlowLeg::to_gate) along(layout_.strip.right, layout_.gate.left);
}

void StageScene::paintAnswers(Surface s, std::vector<Dot>& dots) const {
    if (prefixes() == 0) return;
    const std::size_t e = numExperts();
    std::vector<std::size_t> drawn;
    for (std::size_t i = 0; i < e; ++i)
        if (gateAt(focus_, i) > 0.0005f) drawn.push_back(i);
    if (drawn.size() > focused_ribbons) {
        std::nth_element(drawn.begin(), drawn.begin() + focused_ribbons, drawn.end(),
                         [&](std::size_t a, std::size_t b) { return gateAt(focus_, a) > gateAt(focus_, b); });
        drawn.resize(focused_ribbons);
        std::sort(drawn.begin(), drawn.end());
    }
    const QPointF sum = layout_.sumCentre();
    const double r = layout_.sumRadius(), scale = std::min(r * 1.3, layout_.ribbonScale(layout_.px(72)));
    double total = 0;
    for (std::size_t i : drawn) total += gateAt(focus_, i) * scale;
    double y = sum.y() - total / 2;
    const FlowPosition token = FlowTimeline::position(focus_, time_);
    const bool tokens = flowing() && s.canvas;
    const double thickest = layout_.ribbonScale(focus_ < rows_.size() ? rows_[layout_.spec().focus_row].height : 0);
    for (std::size_t i : drawn) {
        const double weight = gateAt(focus_, i);
        const double at = y + weight * scale / 2, dy = at - sum.y();
        y += weight * scale;
        Ribbon ribbon{layout_.expertExit(i), QPointF(sum.x() - std::sqrt(std::max(0.0, r * r - dy * dy)) + px(1), at),
                      std::max(0.6, weight * std::min(scale, thickest)), expertColor(i)};
        ribbon.color.setAlphaF(float(0.86 * expertDim(i)));
        s.canvas ? s.canvas->draw(ribbon) : drawRibbon(s.p, ribbon);
        if (tokens && token.leg == FlowLeg::to_sum)
            dots.push_back(
                {ribbonPoint(ribbon, token.share), std::max(1.0, px(4) * std::sqrt(weight)), expertColor(i)});
    }
    const double from = sum.x() + r, to = layout_.words.left - px(4);
    s.p.setPen(QPen(theme_.ink, px(2)));
    s.p.drawLine(QPointF(from, sum.y()), QPointF(to, sum.y()));
    if (tokens && token.leg == FlowLeg::to_word)
        dots.push_back({{from + (to - from) * token.share, sum.y()}, px(3.2), theme_.ink});
}

void StageScene::paintExperts(Surface s) const {
    const std::size_t e = numExperts();
    if (layout_.expertForm() == ExpertForm::box) {
        for (std::size_t i = 0; i < e; ++i) paintExpertBox(s.p, i);
        return;
    }
    double busiest = 2.0 / double(e);  // an even load is half shaded at most
    for (float load : load_) busiest = std::max(busiest, double(load));
    for (std::size_t i = 0; i < e; ++i)
        if (!coloured(i)) paintExpertCell(s, i, busiest);
    for (std::size_t i = 0; i < e; ++i)
        if (coloured(i)) paintExpertCell(s, i, busiest);
}

QString StageScene::loadText(std::size_t expert, bool with_word) const {
    if (snapshot_->load.empty()) return with_word ? tr("load %1").arg(QStringLiteral("–")) : QStringLiteral("–");
    const QString share = percentText(load_[expert]);
    return with_word ? tr("load %1").arg(share) : share;
}

void StageScene::paintExpertBox(QPainter& p, std::size_t expert) const {
    const bool known = !snapshot_->load.empty(), taken = chosen(expert);
    const double load = known ? double(load_[expert]) : 0;
    const QRectF box = layout_.expertBox(expert, known ? std::optional(load) : std::nullopt);
    const double radius = std::min(px(8), box.height() / 4), strength = expertDim(expert) < 1 ? 0.5 : 1;
    const QColor color = Theme::mix(theme_.panel, theme_.expert(expert), strength);
    const QRectF body = box.adjusted(0.75, 0.75, -0.75, -0.75);
    p.setPen(Qt::NoPen);
    p.setBrush(theme_.panel);
    p.drawRoundedRect(body, radius, radius);
    if (load > 0) {
        // Filled like a glass: to the share of all gate weight that it got.
        const double level = body.bottom() - body.height() * std::min(1.0, load);
        const QRectF full(box.left(), level, box.width(), box.bottom() - level);
        fillPart(p, body, radius, full, Theme::mix(theme_.panel, theme_.expert(expert), 0.24 * strength));
    }
    p.setBrush(Qt::NoBrush);
    const bool pointed = hovered_.part == StagePart::expert && hovered_.index == expert;
    p.setPen(taken ? QPen(color, px(pointed ? 2.5 : 1.5)) : dashed(Theme::mix(theme_.panel, color, 0.7), px(1.2)));
    p.drawRoundedRect(body, radius, radius);
    if (focused_expert_ == expert) {
        p.setPen(QPen(theme_.ink, px(1.5)));
        p.drawRoundedRect(body.adjusted(-px(3), -px(3), px(3), px(3)), radius + px(3), radius + px(3));
    }
    const bool two_lines = layout_.expertBox(expert, 0.0).height() >= px(42);  // alike for all
    const double cy = two_lines ? box.center().y() - px(8.5) : box.center().y();
    const double mark = two_lines ? 13 : std::min(11.0, box.height() / layout_.scale() * 0.5);
    p.setPen(Qt::NoPen);
    p.setBrush(color);
    p.drawPath(expertShape(expert, {box.left() + px(18), cy}, px(mark)));
    const QColor ink = strength < 1 ? theme_.muted : theme_.ink, muted = theme_.muted;
    text(p, {box.left() + px(33), cy - px(10), px(22), px(20)}, Qt::AlignLeft | Qt::AlignVCenter, expertName(expert),
         two_lines ? 15 : 12, QFont::DemiBold, ink);
    if (two_lines) {
        text(p, {box.left() + px(11), box.center().y() + px(3), box.width() - px(18), px(17)},
             Qt::AlignLeft | Qt::AlignVCenter, loadText(expert, true), 10.5, QFont::Normal, muted);
    } else {
        p.setFont(font(10.5));
        p.setPen(muted);
        drawTabular(p, {box.left(), cy - px(8), box.width() - px(10), px(16)}, Qt::AlignRight | Qt::AlignVCenter,
                    loadText(expert, box.width() >= px(116)));
    }
}

void StageScene::paintExpertCell(Surface s, std::size_t expert, double busiest) const {
    QRectF cell = layout_.expertBox(expert, std::nullopt);
    const double load = snapshot_->load.empty() ? 0 : double(load_[expert]);
    const QColor shade = Theme::mix(theme_.track, theme_.ink, 0.82 * std::min(1.0, load / busiest));
    const bool marked = coloured(expert), selected = focused_expert_ == expert;
    const QColor back = marked ? theme_.expert(expert) : shade;
    const ExpertForm form = layout_.expertForm();
    if (form == ExpertForm::bare) {
        const double gap = cell.width() > px(6) ? 1 : 0.5;
        const QRectF inner = cell.adjusted(0, 0, -gap, -gap);
        s.canvas ? s.canvas->fill(inner, shade.rgb()) : s.p.fillRect(inner, shade);
        if (!marked) return;
        const double grow = std::max(0.0, (px(11) - std::min(cell.width(), cell.height())) / 2);
        cell.adjust(-grow, -grow, grow, grow);
        s.p.setPen(QPen(selected ? theme_.ink : theme_.panel, px(1.5)));
        s.p.setBrush(theme_.expert(expert));
        s.p.drawPath(expertShape(expert, cell.center(), std::min(cell.height(), px(14))));
        return;
    }
    const double radius = std::min(px(4), cell.height() / 4);
    s.p.setPen(Qt::NoPen);
    s.p.setBrush(back);
    s.p.drawRoundedRect(cell, radius, radius);
    if (selected || (hovered_.part == StagePart::expert && hovered_.index == expert)) {
        s.p.setBrush(Qt::NoBrush);
        s.p.setPen(QPen(selected ? theme_.ink : theme_.muted, px(1.5)));
        s.p.drawRoundedRect(cell.adjusted(-px(2), -px(2), px(2), px(2)), radius + px(2), radius + px(2));
    }
    const QColor ink = theme_.textOn(back);
    if (form == ExpertForm::cell) {
        text(s.p, cell, Qt::AlignCenter, expertName(expert), smallest_type, marked ? QFont::DemiBold : QFont::Normal,
             ink);
        return;
    }
    const double size = std::clamp(cell.height() / layout_.scale() * 0.68, smallest_type, 11.0);
    double x = cell.left() + px(8);
    if (marked) {
        s.p.setPen(Qt::NoPen);
        s.p.setBrush(ink);
        s.p.drawPath(expertShape(expert, {x + px(4), cell.center().y()}, px(8)));
    }
    x += px(14);
    text(s.p, {x, cell.top(), px(24), cell.height()}, Qt::AlignLeft | Qt::AlignVCenter, expertName(expert), size,
         marked ? QFont::DemiBold : QFont::Normal, ink);
    s.p.setPen(ink);
    s.p.setFont(font(size));
    drawTabular(s.p, cell.adjusted(0, 0, -px(8), 0), Qt::AlignRight | Qt::AlignVCenter, loadText(expert, false));
}

void StageScene::paintSum(QPainter& p) const {
    p.setPen(QPen(theme_.ink, px(1.5)));
    p.setBrush(theme_.panel);
    p.drawEllipse(layout_.sumCentre(), layout_.sumRadius() - 0.75, layout_.sumRadius() - 0.75);
    const double r = layout_.sumRadius();
    text(p, QRectF(layout_.sumCentre() - QPointF(r, r), QSizeF(2 * r, 2 * r)), Qt::AlignCenter, QStringLiteral("Σ"), 14,
         QFont::DemiBold, theme_.ink);
}

// SVG of Qt 6.4 knows no clipping: on paper the parts are paths.
void StageScene::fillPart(QPainter& p, const QRectF& body, double radius, const QRectF& part,
                          const QColor& color) const {
    if (on_paper_) {
        QPainterPath whole, cut;
        whole.addRoundedRect(body, radius, radius);
        cut.addRect(part);
        return p.fillPath(whole.intersected(cut), color);
    }
    p.save();
    p.setClipRect(part);
    p.setPen(Qt::NoPen);
    p.setBrush(color);
    p.drawRoundedRect(body, radius, radius);
    p.restore();
}

void StageScene::paintWordOnPaper(QPainter& p, const QRectF& bar, const QRectF& filled, const QString& word,
                                  double word_left, const QString& number, const QColor& on_full, bool first) const {
    const int weight = first ? QFont::DemiBold : QFont::Normal;
    const QRectF place = bar.adjusted(word_left, 0, number.isEmpty() ? -px(4) : -px(38), 0);
    const QFont type = font(10.5, weight);
    const QFontMetricsF metrics(type);
    const double right = place.left() + std::min(metrics.horizontalAdvance(word), place.width());
    if (filled.right() >= right || filled.right() <= place.left() || on_full == theme_.ink) {
        text(p, place, Qt::AlignLeft | Qt::AlignVCenter, word, 10.5, weight,
             filled.right() >= right ? on_full : theme_.ink);
    } else {
        QPainterPath letters, cut;
        const QString shown = metrics.elidedText(word, Qt::ElideRight, place.width());
        letters.addText(place.left(), place.center().y() + (metrics.ascent() - metrics.descent()) / 2, type, shown);
        cut.addRect(filled);
        p.fillPath(letters.intersected(cut), on_full);
        p.fillPath(letters.subtracted(cut), theme_.ink);
    }
    if (number.isEmpty()) return;
    p.setFont(font(smallest_type));
    p.setPen(filled.right() > bar.right() - px(20) ? on_full : theme_.ink);
    drawTabular(p, bar.adjusted(0, 0, -px(7), 0), Qt::AlignRight | Qt::AlignVCenter, number);
}

void StageScene::paintWords(QPainter& p) const {
    const auto& top = snapshot_->probe.focused.top;
    const std::size_t n = std::min({layout_.listedWords(), top.size(), words_.size()});
    for (std::size_t i = 0; i < n; ++i) {
        const QRectF bar = layout_.wordBar(i);
        const double share = std::clamp(double(words_[i].probability), 0.0, 1.0), radius = px(4);
        const QString word = shownText(top[i].word);
        const QColor full =
            i == 0 ? Theme::mix(theme_.panel, theme_.ink, 0.92) : Theme::mix(theme_.track, theme_.ink, 0.3);
        QRectF filled = bar, empty = bar;
        filled.setWidth(std::max(px(2), bar.width() * share));
        empty.setLeft(filled.right());
        const bool numbers = bar.width() >= px(96);
        const double length =
            QFontMetricsF(font(10.5, i == 0 ? QFont::DemiBold : QFont::Normal)).horizontalAdvance(word);
        const double word_left = wordStart(filled.width(), length, px(10), bar.width() - px(numbers ? 38 : 4), px(5));
        const auto label = [&](const QRectF& clip, const QColor& ink) {
            if (clip.width() <= 0) return;
            p.save();
            p.setClipRect(clip);
            text(p, bar.adjusted(word_left, 0, numbers ? -px(38) : -px(4), 0), Qt::AlignLeft | Qt::AlignVCenter, word,
                 10.5, i == 0 ? QFont::DemiBold : QFont::Normal, ink);
            if (numbers) {
                p.setFont(font(smallest_type));
                drawTabular(p, bar.adjusted(0, 0, -px(7), 0), Qt::AlignRight | Qt::AlignVCenter, percentText(share));
            }
            p.restore();
        };
        p.setPen(Qt::NoPen);
        p.setBrush(theme_.track);
        p.drawRoundedRect(bar, radius, radius);
        fillPart(p, bar, radius, filled, full);
        const QColor on_full = i == 0 ? theme_.textOn(full) : theme_.ink;
        if (on_paper_) {
            paintWordOnPaper(p, bar, filled, word, word_left, numbers ? percentText(share) : QString(), on_full,
                             i == 0);
            continue;
        }
        label(filled, on_full);
        label(empty, theme_.ink);
    }
    if (n == 0) return;
    const QRectF line = layout_.wordSummary();
    p.setFont(font(12, QFont::DemiBold));
    p.setPen(theme_.ink);
    const QString share = percentText(words_[0].probability);
    const double width = tabularWidth(p.font(), share) + px(4);
    drawTabular(p, line, Qt::AlignLeft | Qt::AlignVCenter, share);
    text(p, line.adjusted(width, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, shownText(top[0].word), 12,
         QFont::DemiBold, theme_.ink);
}

}  // namespace moe::app
