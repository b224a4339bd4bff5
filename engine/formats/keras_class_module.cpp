#include "engine/formats/keras_code.h"

namespace moe {

std::string_view class_module() {
    return R"PY("""The tutorial's mixture of experts as two Keras layers.

Import this module before a model that was saved with them is loaded:

    import keras, moe_layers
    model = keras.models.load_model("model.keras")
"""
import keras
from keras import layers, ops


def gelu_tanh(x):
    """GELU by way of tanh, as keras.activations.gelu has it with approximate=True."""
    return keras.activations.gelu(x, approximate=True)


@keras.saving.register_keras_serializable()
class GatingNetwork(layers.Layer):
    """The gate: a weight for each expert, g = softmax(x W + b)."""

    def __init__(self, num_experts, **kwargs):
        super().__init__(**kwargs)
        self.num_experts = num_experts
        self.dense = layers.Dense(num_experts, activation="softmax")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, x):
        return self.dense(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_experts)

    def get_config(self):
        return {**super().get_config(), "num_experts": self.num_experts}


@keras.saving.register_keras_serializable()
class MoELayer(layers.Layer):
    """Every expert answers, and the gate weighs the answers: y = g_1 E_1(x) + g_2 E_2(x) + ..."""

    def __init__(self, num_experts, hidden_dim, output_dim, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.num_experts = num_experts
        self.hidden_dim = hidden_dim
        self.output_dim = output_dim
        self.activation = activation
        function = gelu_tanh if activation == "gelu_tanh" else activation
        # The gate comes first: Keras keeps the variables, and what the optimizer remembers of them, in this order.
        self.gating = GatingNetwork(num_experts)
        self.experts = [
            keras.Sequential([layers.Dense(hidden_dim, activation=function), layers.Dense(output_dim)])
            for _ in range(num_experts)
        ]

    def build(self, input_shape):
        self.gating.build(input_shape)
        for expert in self.experts:
            expert.build(input_shape)
        self.built = True

    def call(self, x):
        weights = ops.expand_dims(self.gating(x), -1)
        answers = ops.stack([expert(x) for expert in self.experts], axis=1)
        return ops.sum(weights * answers, axis=1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.output_dim)

    def get_config(self):
        config = {
            **super().get_config(),
            "num_experts": self.num_experts,
            "hidden_dim": self.hidden_dim,
            "output_dim": self.output_dim,
        }
        if self.activation != "relu":
            config["activation"] = self.activation
        return config
)PY";
}

}  // namespace moe
