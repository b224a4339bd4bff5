#include "engine/formats/legacy_h5.h"

#include "engine/formats/keras_weights.h"

#include <cmath>

namespace moe {

bool is_hdf5(std::string_view start) {
    return start.starts_with("\x89HDF\r\n\x1a\n");
}

SavedModel read_legacy_h5(std::string_view image, const std::string& name, const H5Program& program) {
    Hdf5Reader reader(image, name, program);
    const std::optional<std::string> config = reader.text("", "model_config");
    if (!config)
        throw Error("'" + name + "' " +
                    (reader.exists("layers") ? "holds weights alone; give the .keras file of the whole model."
                                             : "is an HDF5 file, but no Keras model: it has no model_config; save "
                                               "the model with model.save(\"model.keras\")."));
    const std::optional<std::string> training = reader.text("", "training_config");
    KerasModel keras = read_legacy_config(*config, training.value_or(""), name);
    SavedModel model;
    Experiment& experiment = model.state.experiment;
    if (keras.learning_rate && std::isfinite(*keras.learning_rate) && *keras.learning_rate >= 0)
        experiment.train.learning_rate = shortest_decimal(*keras.learning_rate);
    model.remarks = read_legacy_weights(reader, name, keras, model.state);
    experiment.model = keras.spec;
    model.state.initial = std::make_shared<const RunState>(model.state);
    return model;
}

}  // namespace moe
