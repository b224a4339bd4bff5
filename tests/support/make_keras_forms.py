"""Writes one model of each built-in form, trained three epochs, as this version of Keras saves it, and its predictions.

usage: KERAS_BACKEND=jax python make_keras_forms.py OUT_FOLDER [FORM...]   (pip install keras jax)
"""
import json
import os
import sys

import keras
import numpy as np
from keras import layers as L

V, T, D, H = 20, 5, 6, 7


def sparse_gate(h, experts, k):
    z = L.Reshape((experts, 1))(L.Dense(experts)(h))
    rest, chosen = z, []
    for _ in range(k):
        best = L.GlobalMaxPooling1D(keepdims=True)(rest)
        chosen.append(L.ReLU(max_value=1)(L.Rescaling(1e20, 2)(L.Subtract()([rest, best]))))
        rest = L.Add()([rest, L.Rescaling(-1e9)(chosen[-1])])
    taken = L.Add()(chosen) if k > 1 else chosen[0]
    return L.Softmax(axis=1)(L.Add()([z, L.Rescaling(-1e9)(L.ReLU()(L.Rescaling(-1, 1)(taken)))]))


def implicit_mask():
    """mask_zero in the embedding, other letters in the equations, the bank before the gate."""
    tokens = keras.Input((T,))
    h = L.GlobalAveragePooling1D()(L.Embedding(V, D, mask_zero=True)(tokens))
    gate = L.Reshape((3, 1))(L.Dense(3, activation="softmax")(h))
    bank = L.EinsumDense("xy,zyw->xzw", output_shape=[3, H], bias_axes="zw", activation="relu")(h)
    bank = L.EinsumDense("xzw,zwy->xzy", output_shape=[3, D], bias_axes="zy")(bank)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(L.Flatten()(L.Dot(axes=1)([bank, gate]))))


def sparse_masked():
    tokens = keras.Input((T,), dtype="int32")
    h = L.GlobalAveragePooling1D()(L.Embedding(V, D)(tokens), mask=keras.ops.not_equal(tokens, 0))
    gate = sparse_gate(h, 9, 3)
    bank = L.EinsumDense("bd,edh->beh", output_shape=[9, H], bias_axes="eh", activation="relu")(h)
    bank = L.EinsumDense("beh,ehd->bed", output_shape=[9, D], bias_axes="ed")(bank)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(L.Flatten()(L.Dot(axes=[1, 1])([gate, bank]))))


FORMS = {"implicit_mask": implicit_mask, "sparse_masked": sparse_masked}
rng = np.random.default_rng(3)
rows = rng.integers(1, V, (40, T)).astype("int32")
for r in range(len(rows)):
    rows[r, : r % T] = 0
targets = rng.integers(1, V, len(rows)).astype("int32")
for name in sys.argv[2:] or FORMS:
    keras.utils.set_random_seed(5)
    model = FORMS[name]()
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
    model.fit(rows, targets, batch_size=8, epochs=3, verbose=0)
    path = os.path.join(sys.argv[1], name + "-" + keras.__version__)
    model.save(path + ".keras")
    predicted = np.asarray(model.predict(rows[:10], verbose=0))
    with open(path + ".json", "w") as out:
        json.dump({"rows": rows[:10].tolist(), "predictions": [[float("%.9g" % v) for v in p] for p in predicted]}, out)
