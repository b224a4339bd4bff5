"""Writes models in the tutorial's own classes, and in the legacy format, as this version of Keras saves them.

Each is saved after three epochs, with its optimizer's state; the JSON beside it has what it predicts then and the loss of
each of four further epochs, so that a wrong order of the optimizer's variables shows.

usage: KERAS_BACKEND=jax python make_keras_classes.py OUT_FOLDER   (pip install keras jax h5py)
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
from keras.src.legacy.preprocessing.text import Tokenizer

warnings.filterwarnings("ignore")


def classes(gate_first):
    """The tutorial's two classes. Which attribute is assigned first decides the order of Keras's variables."""

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
        def __init__(self, num_experts, hidden_dim, output_dim, **kwargs):
            super().__init__(**kwargs)
            self.num_experts, self.hidden_dim, self.output_dim = num_experts, hidden_dim, output_dim
            if gate_first:
                self.gating = GatingNetwork(num_experts)
            self.experts = [keras.Sequential([L.Dense(hidden_dim, activation="relu"), L.Dense(output_dim)])
                            for _ in range(num_experts)]
            if not gate_first:
                self.gating = GatingNetwork(num_experts)

        def build(self, shape):
            for part in [self.gating] + self.experts:
                part.build(shape)
            self.built = True

        def call(self, x):
            outputs = ops.stack([expert(x) for expert in self.experts], axis=1)
            return ops.sum(ops.expand_dims(self.gating(x), -1) * outputs, axis=1)

        def compute_output_shape(self, shape):
            return (shape[0], self.output_dim)

        def get_config(self):
            return {**super().get_config(), "num_experts": self.num_experts, "hidden_dim": self.hidden_dim,
                    "output_dim": self.output_dim}

    return MoELayer


def mean(tokens, h, mask):
    pool = L.GlobalAveragePooling1D()
    return pool(h, mask=ops.not_equal(tokens, 0)) if mask else pool(h)


def of_classes(E, D, H, gate_first, mask=False):
    tokens = keras.Input((T,), dtype="int32")
    h = mean(tokens, L.Embedding(V, D)(tokens), mask)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(classes(gate_first)(E, H, D)(h)))


def built_in(E, D, H, k, mask=False):
    tokens = keras.Input((T,), dtype="int32")
    h = mean(tokens, L.Embedding(V, D)(tokens), mask)
    if k == E:
        gate = L.Reshape((E, 1))(L.Dense(E, activation="softmax")(h))
    else:
        z = L.Reshape((E, 1))(L.Dense(E)(h))
        rest, chosen = z, []
        for _ in range(k):
            best = L.GlobalMaxPooling1D(keepdims=True)(rest)
            chosen.append(L.ReLU(max_value=1)(L.Rescaling(1e20, 2)(L.Subtract()([rest, best]))))
            rest = L.Add()([rest, L.Rescaling(-1e9)(chosen[-1])])
        gate = L.Softmax(axis=1)(L.Add()([z, L.Rescaling(-1e9)(L.ReLU()(L.Rescaling(-1, 1)(L.Add()(chosen))))]))
    bank = L.EinsumDense("bd,edh->beh", output_shape=[E, H], bias_axes="eh", activation="relu")(h)
    bank = L.EinsumDense("beh,ehd->bed", output_shape=[E, D], bias_axes="ed")(bank)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(L.Flatten()(L.Dot(axes=[1, 1])([gate, bank]))))


rng = np.random.default_rng(11)
lines = [" ".join(f"w{i}" for i in rng.integers(1, 12, n)) for n in (6, 5, 6, 3, 2, 6, 4, 6)]
tokenizer = Tokenizer()
tokenizer.fit_on_texts(lines)
V, T = len(tokenizer.word_index) + 1, 5
prefixes, targets = [], []
for sequence in tokenizer.texts_to_sequences(lines):
    for i in range(1, len(sequence)):
        prefixes.append([0] * (T - i) + sequence[:i])
        targets.append(sequence[i])
X, y = np.array(prefixes, "int32"), np.array(targets, "int32")

FORMS = {
    "gate_first": (lambda: of_classes(3, 6, 7, True), [".keras", ".h5"]),
    "experts_first": (lambda: of_classes(5, 4, 6, False, mask=True), [".keras"]),
    "square": (lambda: of_classes(4, 4, 4, False), [".keras"]),
    "legacy_soft": (lambda: built_in(3, 6, 7, 3, mask=True), [".h5"]),
    "legacy_top2": (lambda: built_in(4, 6, 5, 2), [".h5"]),
}
for name, (build, endings) in FORMS.items():
    keras.utils.set_random_seed(5)
    model = build()
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
    fit = lambda epochs: model.fit(X, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history["loss"]
    fit(3)
    path = os.path.join(sys.argv[1], name + "-" + keras.__version__)
    for ending in endings:
        model.save(path + ending)
    if name == "gate_first":  # what a zip program of somebody's makes of it
        with zipfile.ZipFile(path + ".keras") as old, zipfile.ZipFile(path + "-deflated.keras", "w") as new:
            for member in old.namelist():
                new.writestr(member, old.read(member), zipfile.ZIP_DEFLATED)
    predicted = np.asarray(model.predict(X[:10], verbose=0))
    with open(path + ".json", "w") as out:
        json.dump({"keras": keras.__version__, "corpus": "\n".join(lines) + "\n", "rows": X[:10].tolist(),
                   "predictions": [[float("%.9g" % v) for v in p] for p in predicted], "step": 3 * ((len(y) + 7) // 8),
                   "loss": fit(4)}, out)
    print(name, keras.__version__, len(y), [v.path for v in model.trainable_variables][:4])
