"""Writes models whose experts have other activations than ReLU, as this version of Keras saves them: in built-in layers, in
the tutorial's classes, and both in the legacy format.

Each is saved after three epochs, with its optimizer's state; activations.json has what each predicts then and the loss of
each of four further epochs.

usage: KERAS_BACKEND=jax python make_keras_activations.py OUT_FOLDER   (pip install keras jax h5py)
"""
import json
import os
import sys
import warnings
import zipfile

import keras
import numpy as np
from keras import layers as L
from keras import ops

warnings.filterwarnings("ignore")
V, T, D, H, E = 20, 5, 6, 7, 3
GELU = {"gelu": False, "gelu_tanh": True}


@keras.saving.register_keras_serializable()
class GatingNetwork(L.Layer):
    def __init__(self, num_experts, **kwargs):
        super().__init__(**kwargs)
        self.num_experts = num_experts
        self.dense = L.Dense(num_experts, activation="softmax")

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "num_experts": self.num_experts}


@keras.saving.register_keras_serializable()
class MoELayer(L.Layer):
    def __init__(self, num_experts, hidden_dim, output_dim, activation="relu", approximate=False, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"num_experts": num_experts, "hidden_dim": hidden_dim, "output_dim": output_dim,
                         "activation": activation, "approximate": approximate}
        f = (lambda x: keras.activations.gelu(x, approximate=True)) if approximate else activation
        self.gating = GatingNetwork(num_experts)
        self.experts = [keras.Sequential([L.Dense(hidden_dim, activation=f), L.Dense(output_dim)])
                        for _ in range(num_experts)]

    def build(self, shape):
        for part in [self.gating] + self.experts:
            part.build(shape)
        self.built = True

    def call(self, x):
        outputs = ops.stack([expert(x) for expert in self.experts], axis=1)
        return ops.sum(ops.expand_dims(self.gating(x), -1) * outputs, axis=1)

    def compute_output_shape(self, shape):
        return (shape[0], self.settings["output_dim"])

    def get_config(self):
        return {**super().get_config(), **self.settings}


def mean():
    tokens = keras.Input((T,), dtype="int32")
    return tokens, L.GlobalAveragePooling1D()(L.Embedding(V, D)(tokens))


def classes(activation):
    tokens, h = mean()
    name = "gelu" if activation in GELU else activation
    y = MoELayer(E, H, D, name, GELU.get(activation, False))(h)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(y))


def layers(activation, apart=False):
    """`apart`: the activation stands between the layers, as an operation or a layer of its own."""
    tokens, h = mean()
    gate = L.Reshape((E, 1))(L.Dense(E, activation="softmax")(h))
    own = None if apart or activation == "gelu_tanh" else activation
    bank = L.EinsumDense("bd,edh->beh", output_shape=[E, H], bias_axes="eh", activation=own)(h)
    if activation in GELU and own is None:
        bank = ops.gelu(bank, approximate=GELU[activation])
    elif own is None:
        bank = L.Activation(activation)(bank)
    bank = L.EinsumDense("beh,ehd->bed", output_shape=[E, D], bias_axes="ed")(bank)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(L.Flatten()(L.Dot(axes=[1, 1])([gate, bank]))))


def deflate(path):
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


MODELS = {
    "layers_linear.keras": lambda: layers("linear"),
    "layers_gelu.keras": lambda: layers("gelu"),
    "layers_gelu_tanh.keras": lambda: layers("gelu_tanh"),
    "layers_tanh.keras": lambda: layers("tanh"),
    "apart_gelu.keras": lambda: layers("gelu", apart=True),
    "apart_tanh.keras": lambda: layers("tanh", apart=True),
    "classes_linear.keras": lambda: classes("linear"),
    "classes_gelu.keras": lambda: classes("gelu"),
    "classes_gelu_tanh.keras": lambda: classes("gelu_tanh"),
    "classes_tanh.keras": lambda: classes("tanh"),
    "legacy_layers_gelu_tanh.h5": lambda: layers("gelu_tanh"),
    "legacy_classes_tanh.h5": lambda: classes("tanh"),
}
rng = np.random.default_rng(3)
words = rng.integers(1, V, (7, 6))
# What a corpus of these lines makes: every prefix, padded in front, and its next word.
rows = np.array([[0] * (T - i) + line[:i].tolist() for line in words for i in range(1, T + 1)], "int32")
targets = np.array([line[i] for line in words for i in range(1, T + 1)], "int32")
about = {"keras": keras.__version__, "lines": words.tolist(), "models": {}}
for name, make in MODELS.items():
    keras.utils.set_random_seed(5)
    model = make()
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(rows, targets, batch_size=8, epochs=3, shuffle=False, verbose=0)
    path = os.path.join(sys.argv[1], name)
    model.save(path)
    if name.endswith(".keras"):
        deflate(path)
    predicted = np.asarray(model.predict(rows[:6], verbose=0))
    loss = model.fit(rows, targets, batch_size=8, epochs=4, shuffle=False, verbose=0).history["loss"]
    about["models"][name] = {"predictions": [[float("%.9g" % v) for v in p] for p in predicted], "loss": loss}
with open(os.path.join(sys.argv[1], "activations.json"), "w") as out:
    json.dump({**about, "rows": rows[:6].tolist()}, out)
