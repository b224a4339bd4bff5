#pragma once
#include "app/models/provenance.h"
#include "app/models/theme.h"
#include "engine/session/snapshot.h"

#include <QCoreApplication>
#include <QImage>
#include <QString>

#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace moe::app {

/// What of the model is looked into.
enum class InspectedPart { word, gate, expert, sum, next_word };

struct InspectionTarget {
    InspectedPart part = InspectedPart::gate;
    std::size_t index = 0;  // word, next word: its id; expert

    bool operator==(const InspectionTarget&) const = default;
};

/// Whose largest number is the end of the colour scale.
enum class InspectionScale { array, layer, all };

/// A rectangle of numbers out of an array of weights or of activations: where they lie, and what rows and columns mean.
struct InspectedArray {
    enum class Axis { one, dimension, unit, expert, word, token, visit };

    QString title;                                   // "hidden kernel"
    bool weights = true;                             // else of the phrase's forward pass
    ParameterId parameter = ParameterId::embedding;  // weights
    Quantity quantity = Quantity::none;              // activations
    std::size_t rows = 1, columns = 0;
    std::size_t offset = 0, row_step = 0, column_step = 1;  // in the whole array
    Axis row_axis = Axis::one, column_axis = Axis::dimension;
    bool on_off = false;  // a ReLU's output: zero is off
    QString missing;      // why there are no numbers: "The gate did not choose D."

    std::size_t count() const { return rows * columns; }
    std::size_t flat(std::size_t i) const { return offset + i / columns * row_step + i % columns * column_step; }
    bool sameAs(const InspectedArray& other) const {
        return weights == other.weights && parameter == other.parameter && quantity == other.quantity;
    }
};

/// Of the numbers that are numbers.
struct InspectionStats {
    std::size_t count = 0, zeros = 0, broken = 0;  // broken: NaN or infinite
    double least = 0, most = 0, mean = 0, rms = 0;

    static InspectionStats of(std::span<const float> values);
};

/// What the inspector says of a model's parts, without widgets.
class Inspection {
    Q_DECLARE_TR_FUNCTIONS(moe::app::Inspection)

public:
    using WordOf = std::function<QString(std::int32_t id)>;

    /// The arrays of a part; `phrase` is the traced phrase, or null where there is none yet: then activations say so.
    static std::vector<InspectedArray> arrays(const InspectionTarget& target, const ModelSpec& spec,
                                              const Trace* phrase);
    static QString title(const InspectionTarget& target, const WordOf& word_of);
    /// "dim 3 → unit 5": the place of number i.
    static QString meaning(const InspectedArray& array, std::size_t i, const Trace* phrase, const WordOf& word_of);
    static QString axisText(InspectedArray::Axis axis, std::size_t at, const Trace* phrase, const WordOf& word_of);

    /// Out of the whole array; empty where it is too short.
    static std::vector<float> read(const InspectedArray& array, std::span<const float> whole);
    static std::span<const float> whole(const std::vector<NamedArray>& arrays, ParameterId parameter);
    static double largest(std::span<const float> values);  // magnitude; NaN left out
    /// The end of the colour scale: the largest magnitude of the array, of its layer, of all.
    static double limit(InspectionScale scale, const InspectedArray& array, std::span<const float> shown,
                        const std::vector<NamedArray>& arrays, const Trace* phrase);
    static QString layerName(const InspectedArray& array);  // "experts"

    /// Counts in `bins` equal ranges from -limit to limit.
    static std::vector<std::size_t> histogram(std::span<const float> values, std::size_t bins, double limit);

    /// One pixel a cell at most `width` x `height` pixels; of more cells a pixel shows its largest. Signed values brown
    /// to teal; a gradient's size in vermilion.
    static QImage image(std::span<const float> values, std::size_t rows, std::size_t columns, double limit,
                        bool gradient, const Theme& theme, std::size_t width, std::size_t height);
    static QColor color(double value, double limit, bool gradient, const Theme& theme);

    /// "0.25 -0.1 ...", a line a row.
    static QString text(const InspectedArray& array, std::span<const float> values);
};

}  // namespace moe::app
