#include "app/models/inspection.h"

#include "app/models/text_format.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

using Axis = InspectedArray::Axis;
using Q = Quantity;
using P = ParameterId;

QString quoted(const QString& word) {
    return u'“' + shownText(word).left(24) + u'”';
}

std::string_view layerOf(P parameter) {
    const std::string_view name = Provenance::name(parameter);
    return name.substr(0, name.find('/'));
}

}  // namespace

InspectionStats InspectionStats::of(std::span<const float> values) {
    InspectionStats s;
    s.count = values.size();
    double sum = 0, squares = 0;
    std::size_t good = 0;
    for (const float v : values) {
        if (!std::isfinite(v)) {
            ++s.broken;
            continue;
        }
        const auto x = double(v);
        if (good == 0) s.least = s.most = x;
        s.least = std::min(s.least, x), s.most = std::max(s.most, x);
        s.zeros += v == 0;
        sum += x, squares += x * x;
        ++good;
    }
    if (good > 0) s.mean = sum / double(good), s.rms = std::sqrt(squares / double(good));
    return s;
}

QString Inspection::title(const InspectionTarget& target, const WordOf& word_of) {
    switch (target.part) {
        case InspectedPart::word:
            return tr("Word %1").arg(quoted(word_of(std::int32_t(target.index))));
        case InspectedPart::gate:
            return tr("Gate");
        case InspectedPart::expert:
            return tr("Expert %1").arg(expertName(target.index));
        case InspectedPart::sum:
            return tr("Weighted sum");
        case InspectedPart::next_word:
            return tr("Next word %1")
                .arg(target.index == 0 ? tr("(padding)") : quoted(word_of(std::int32_t(target.index))));
    }
    return {};
}

std::vector<InspectedArray> Inspection::arrays(const InspectionTarget& target, const ModelSpec& spec,
                                               const Trace* phrase) {
    const std::size_t V = spec.vocabulary, D = spec.embedding_dim, H = spec.hidden_dim, E = spec.num_experts,
                      T = spec.max_seq_len, e = target.index;
    const std::size_t K = phrase ? phrase->experts_per_token() : 0;
    const QString no_phrase = tr("Type a phrase with a word that the model knows.");
    std::vector<InspectedArray> all;
    const auto weights = [&](const QString& title, P parameter, std::size_t rows, Axis row, std::size_t columns,
                             Axis column, std::size_t offset, std::size_t row_step, std::size_t column_step) {
        InspectedArray a;
        a.title = title, a.parameter = parameter;
        a.rows = rows, a.row_axis = row, a.columns = columns, a.column_axis = column;
        a.offset = offset, a.row_step = row_step, a.column_step = column_step;
        all.push_back(std::move(a));
    };
    const auto activations = [&](const QString& title, Q quantity, std::size_t rows, Axis row, std::size_t columns,
                                 Axis column, std::size_t offset) -> InspectedArray& {
        InspectedArray a;
        a.title = title, a.weights = false, a.quantity = quantity;
        a.rows = rows, a.row_axis = row, a.columns = columns, a.column_axis = column;
        a.offset = offset, a.row_step = columns;
        if (!phrase) a.missing = no_phrase;
        all.push_back(std::move(a));
        return all.back();
    };
    const bool chooses = spec.router != "soft", tokens = routes_tokens(spec);
    // Where tokens are routed, what has experts is that of the last word: a phrase ends with it.
    const std::size_t last = tokens ? (T - 1) * (phrase ? K : E) : 0, routed = tokens ? T : 1;
    const Axis token = tokens ? Axis::token : Axis::one;
    const auto ofLast = [&](const QString& title) { return tokens ? tr("%1 of the last word").arg(title) : title; };
    switch (target.part) {
        case InspectedPart::word:
            weights(tr("embedding row"), P::embedding, 1, Axis::one, D, Axis::dimension, target.index * D, D, 1);
            activations(tr("rows of the phrase"), Q::embedding_rows, T, Axis::token, D, Axis::dimension, 0);
            if (!tokens) activations(tr("mean x"), Q::mean, 1, Axis::one, D, Axis::dimension, 0);
            break;
        case InspectedPart::gate:
            weights(tr("gate kernel"), P::gate_kernel, D, Axis::dimension, E, Axis::expert, 0, E, 1);
            weights(tr("gate bias"), P::gate_bias, 1, Axis::one, E, Axis::expert, 0, E, 1);
            activations(tr("scores z"), Q::gate_logits, routed, token, E, Axis::expert, 0);
            if (chooses) activations(tr("probabilities P"), Q::gate_probs, routed, token, E, Axis::expert, 0);
            activations(ofLast(tr("weights g")), Q::expert_weights, 1, Axis::one, phrase ? K : E,
                        chooses ? Axis::visit : Axis::expert, last);
            break;
        case InspectedPart::expert: {
            weights(tr("hidden kernel"), P::hidden_kernel, D, Axis::dimension, H, Axis::unit, e * D * H, H, 1);
            weights(tr("hidden bias"), P::hidden_bias, 1, Axis::one, H, Axis::unit, e * H, H, 1);
            weights(tr("output kernel"), P::output_kernel, H, Axis::unit, D, Axis::dimension, e * H * D, D, 1);
            weights(tr("output bias"), P::output_bias, 1, Axis::one, D, Axis::dimension, e * D, D, 1);
            std::optional<std::size_t> visit;
            for (std::size_t k = 0; k < K && phrase->examples > 0; ++k)
                if (std::size_t(phrase->expert_indices[last + k]) == e) visit = last + k;
            const auto of_expert = [&](const QString& name, Q quantity, std::size_t width,
                                       Axis axis) -> InspectedArray& {
                InspectedArray& a =
                    activations(ofLast(name), quantity, 1, Axis::one, width, axis, visit.value_or(0) * width);
                if (phrase && !visit)
                    a.missing = (tokens ? tr("The gate did not choose %1 for the last word.")
                                        : tr("The gate did not choose %1 for this phrase."))
                                    .arg(expertName(e));
                return a;
            };
            of_expert(tr("hidden sums a"), Q::hidden_sums, H, Axis::unit);
            of_expert(tr("hidden units h"), Q::hidden, H, Axis::unit).on_off = spec.activation == "relu";
            of_expert(tr("answer"), Q::answers, D, Axis::dimension);
            break;
        }
        case InspectedPart::sum:
            activations(tr("sum y"), Q::mixed, routed, token, D, Axis::dimension, 0);
            if (tokens) activations(tr("mean of y"), Q::mean, 1, Axis::one, D, Axis::dimension, 0);
            activations(ofLast(tr("answers")), Q::answers, phrase ? K : E, Axis::visit, D, Axis::dimension, last * D);
            activations(ofLast(tr("weights g")), Q::expert_weights, 1, Axis::one, phrase ? K : E, Axis::visit, last);
            break;
        case InspectedPart::next_word:
            weights(tr("head kernel column"), P::head_kernel, 1, Axis::one, D, Axis::dimension, target.index, 0, V);
            weights(tr("head bias, all words"), P::head_bias, 1, Axis::one, V, Axis::word, 0, V, 1);
            activations(tr("scores"), Q::logits, 1, Axis::one, V, Axis::word, 0);
            activations(tr("probabilities"), Q::probs, 1, Axis::one, V, Axis::word, 0);
            break;
    }
    return all;
}

QString Inspection::axisText(Axis axis, std::size_t at, const Trace* phrase, const WordOf& word_of) {
    switch (axis) {
        case Axis::one:
            return {};
        case Axis::dimension:
            return tr("dim %1").arg(at);
        case Axis::unit:
            return tr("unit %1").arg(at);
        case Axis::expert:
            return tr("expert %1").arg(expertName(at));
        case Axis::word:
            return at == 0 ? tr("(padding)") : quoted(word_of(std::int32_t(at)));
        case Axis::token: {
            const std::int32_t id = phrase && at < phrase->ids.size() ? phrase->ids[at] : 0;
            if (id == 0) return tr("place %1: (padding)").arg(at + 1);
            const auto words = std::count_if(phrase->ids.begin(), phrase->ids.begin() + std::ptrdiff_t(at) + 1,
                                             [](std::int32_t i) { return i != 0; });
            return tr("word %1: %2").arg(QString::number(words), quoted(word_of(id)));
        }
        case Axis::visit: {
            const std::size_t K = phrase ? phrase->experts_per_token() : 0;
            return at < K ? tr("expert %1")
                                .arg(expertName(
                                    std::size_t(phrase->expert_indices[phrase->expert_indices.size() - K + at])))
                          : tr("choice %1").arg(at + 1);
        }
    }
    return {};
}

QString Inspection::meaning(const InspectedArray& a, std::size_t i, const Trace* phrase, const WordOf& word_of) {
    if (a.columns == 0) return {};
    const QString column = axisText(a.column_axis, i % a.columns, phrase, word_of);
    if (a.row_axis == Axis::one) return column;
    return axisText(a.row_axis, i / a.columns, phrase, word_of) +
           (a.weights ? QStringLiteral(" → ") : QStringLiteral(", ")) + column;
}

std::span<const float> Inspection::whole(const std::vector<NamedArray>& arrays, P parameter) {
    for (const NamedArray& a : arrays)
        if (a.name == Provenance::name(parameter)) return a.values;
    return {};
}

std::vector<float> Inspection::read(const InspectedArray& a, std::span<const float> whole) {
    std::vector<float> values;
    if (a.count() == 0 || a.flat(a.count() - 1) >= whole.size()) return values;
    values.reserve(a.count());
    for (std::size_t r = 0; r < a.rows; ++r)
        for (std::size_t c = 0; c < a.columns; ++c)
            values.push_back(whole[a.offset + r * a.row_step + c * a.column_step]);
    return values;
}

double Inspection::largest(std::span<const float> values) {
    float most = 0;
    for (const float v : values)
        if (const float size = std::abs(v); size > most && std::isfinite(size)) most = size;
    return double(most);
}

double Inspection::limit(InspectionScale scale, const InspectedArray& array, std::span<const float> shown,
                         const std::vector<NamedArray>& arrays, const Trace* phrase) {
    double most = largest(shown);
    if (scale != InspectionScale::array && array.weights) {
        for (const NamedArray& a : arrays)
            if (scale == InspectionScale::all || a.name.starts_with(layerOf(array.parameter)))
                most = std::max(most, largest(a.values));
    } else if (scale != InspectionScale::array && phrase) {
        for (const TraceValue& v : phrase->values)
            if (scale == InspectionScale::all || v.name == Provenance::name(array.quantity))
                most = std::max(most, largest(v.values));
    }
    return most > 0 ? most : 1;
}

QString Inspection::layerName(const InspectedArray& array) {
    if (!array.weights) return tr("all of these");
    switch (array.parameter) {
        case P::embedding:
            return tr("embedding");
        case P::gate_kernel:
        case P::gate_bias:
            return tr("gate");
        case P::head_kernel:
        case P::head_bias:
            return tr("head");
        default:
            return tr("experts");
    }
}

std::vector<std::size_t> Inspection::histogram(std::span<const float> values, std::size_t bins, double limit) {
    std::vector<std::size_t> counts(bins, 0);
    for (const float v : values) {
        if (!std::isfinite(v)) continue;
        const double place = (double(v) / limit + 1) / 2 * double(bins);
        ++counts[std::size_t(std::clamp(place, 0.0, double(bins) - 1))];
    }
    return counts;
}

QColor Inspection::color(double value, double limit, bool gradient, const Theme& theme) {
    if (!std::isfinite(value)) return theme.ink;
    const double share = value / limit;
    if (gradient) return Theme::mix(theme.track, theme.gradient, std::abs(share));
    return theme.signedValue(share);
}

QImage Inspection::image(std::span<const float> values, std::size_t rows, std::size_t columns, double limit,
                         bool gradient, const Theme& theme, std::size_t width, std::size_t height) {
    if (rows == 0 || columns == 0 || width == 0 || height == 0) return {};
    const std::size_t w = std::min(columns, width), h = std::min(rows, height);
    std::vector<float> largest(w * h, 0.0f);
    std::vector<std::uint8_t> any(w * h, 0);
    for (std::size_t r = 0; r < rows; ++r) {
        float* line = largest.data() + r * h / rows * w;
        std::uint8_t* seen = any.data() + r * h / rows * w;
        for (std::size_t c = 0; c < columns && r * columns + c < values.size(); ++c) {
            const std::size_t x = columns <= width ? c : c * w / columns;
            const float v = values[r * columns + c];
            if (!(std::abs(v) < std::abs(line[x])) || std::isnan(v)) line[x] = v;
            seen[x] = 1;
        }
    }
    // A table of colours: a pixel costs a look-up.
    constexpr int steps = 256;
    std::vector<QRgb> shades(2 * steps + 1);
    for (int i = -steps; i <= steps; ++i)
        shades[std::size_t(i + steps)] = color(limit * double(i) / steps, limit, gradient, theme).rgb();
    QImage image(int(w), int(h), QImage::Format_RGB32);
    const QRgb paper = theme.panel.rgb(), broken = theme.ink.rgb();
    for (std::size_t y = 0; y < h; ++y) {
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(int(y)));
        for (std::size_t x = 0; x < w; ++x) {
            const auto v = double(largest[y * w + x]);
            if (!any[y * w + x])
                line[x] = paper;
            else if (!std::isfinite(v))
                line[x] = broken;
            else
                line[x] = shades[std::size_t(std::lround(std::clamp(v / limit, -1.0, 1.0) * steps) + steps)];
        }
    }
    return image;
}

QString Inspection::text(const InspectedArray& array, std::span<const float> values) {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
        text += to_text(values[i]);
        text += array.columns > 0 && (i + 1) % array.columns == 0 ? '\n' : ' ';
    }
    return QString::fromStdString(text);
}

}  // namespace moe::app
