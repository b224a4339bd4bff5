"""Writes curves of Keras for sizes and activations that no tutorial has: no size is a multiple of 8, the last batch of an epoch
is short, experts are GELU (exact, and by tanh), tanh and ReLU, soft and two of five.

A folder a case, as tests/formats/keras_curves_test.cpp reads it. `drift` is how far the same Keras on JAX parts from itself
with other instructions (SSE4): so much is rounding.

usage: python make_keras_curves.py TESTS_DATA_KERAS [CASE...]   (pip install keras jax)
"""
import json
import os
import random
import subprocess
import sys
import zipfile

os.environ["KERAS_BACKEND"] = "jax"
D, H, E, BATCH, EPOCHS, RATE = 13, 19, 5, 7, 30, 3e-3
# name: (activation, experts chosen, mask)
CASES = {
    "odd-relu": ("relu", 0, True),
    "odd-gelu": ("gelu", 0, False),
    "odd-gelu-tanh": ("gelu_tanh", 2, True),
    "odd-tanh": ("tanh", 2, False),
}


def corpus():
    draw = random.Random(11)
    words = [a + b for a in "bdfgklmnr" for b in ("a", "e", "o", "u")]
    return ["%s %s" % (words[i], " ".join(words[(i * k + draw.randrange(3)) % len(words)] for k in range(1, 2 + i % 5)))
            for i in range(0, len(words), 2)]


def examples(folder):
    index = json.loads(json.load(open(folder + "/tokenizer.json"))["config"]["word_index"])
    lines = [[index[w] for w in line.split()] for line in open(folder + "/corpus.txt").read().splitlines()]
    T = max(len(ids) for ids in lines) - 1
    rows = [[0] * (T - i) + ids[:i] for ids in lines for i in range(1, len(ids))]
    return np.array(rows, "int32"), np.array([ids[i] for ids in lines for i in range(1, len(ids))], "int32"), len(index) + 1


def top_k_gate(z, k):
    rest, chosen = z, []
    for _ in range(k):
        best = L.GlobalMaxPooling1D(keepdims=True)(rest)
        chosen.append(L.ReLU(max_value=1)(L.Rescaling(1e20, 2)(L.Subtract()([rest, best]))))
        rest = L.Add()([rest, L.Rescaling(-1e9)(chosen[-1])])
    return L.Softmax(axis=1)(L.Add()([z, L.Rescaling(-1e9)(L.ReLU()(L.Rescaling(-1, 1)(L.Add()(chosen))))]))


def model_of(V, T, activation, k, mask):
    tokens = keras.Input((T,), dtype="int32")
    h = L.Embedding(V, D)(tokens)
    h = L.GlobalAveragePooling1D()(h, mask=keras.ops.not_equal(tokens, 0)) if mask else L.GlobalAveragePooling1D()(h)
    gate = L.Reshape((E, 1))(L.Dense(E, activation=None if k else "softmax")(h))
    gate = top_k_gate(gate, k) if k else gate
    own = None if activation == "gelu_tanh" else activation
    bank = L.EinsumDense("bd,edh->beh", output_shape=[E, H], bias_axes="eh", activation=own)(h)
    bank = keras.ops.gelu(bank, approximate=True) if own is None else bank
    bank = L.EinsumDense("beh,ehd->bed", output_shape=[E, D], bias_axes="ed")(bank)
    return keras.Model(tokens, L.Dense(V, activation="softmax")(L.Flatten()(L.Dot(axes=[1, 1])([gate, bank]))))


def trained(folder):
    rows, targets, _ = examples(folder)
    model = keras.models.load_model(folder + "/init.keras")
    history = model.fit(rows, targets, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0).history
    return model, rows, [float(v) for v in history["loss"]], [float(v) for v in history["accuracy"]]


def deflate(path):
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


def make(folder, activation, k, mask):
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/corpus.txt", "w") as out:
        out.write("\n".join(corpus()) + "\n")
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(corpus())
    with open(folder + "/tokenizer.json", "w") as out:
        out.write(tokenizer.to_json())
    rows, targets, V = examples(folder)
    T = rows.shape[1]
    with open(folder + "/max_seq_len.txt", "w") as out:
        out.write(str(T))
    keras.utils.set_random_seed(9)
    model = model_of(V, T, activation, k, mask)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(folder + "/init.keras")
    deflate(folder + "/init.keras")

    model, rows, loss, accuracy = trained(folder)
    other = json.loads(subprocess.run([sys.executable, __file__, "--loss", folder], check=True, capture_output=True,
                                      env={**os.environ, "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}).stdout)
    probe = rows[::len(rows) // 6]
    predicted = np.asarray(model.predict(probe, verbose=0))
    with open(folder + "/curve.json", "w") as out:
        json.dump({"keras": keras.__version__, "backend": "jax", "V": V, "T": T, "D": D, "H": H, "E": E,
                   "top_k": k or E, "mask": mask, "lr": RATE, "batch": BATCH, "epochs": EPOCHS, "activation": activation,
                   "loss": loss, "accuracy": accuracy, "drift": [abs(a / b - 1) for a, b in zip(loss, other)],
                   "probe": probe.tolist(), "final_argmax": predicted.argmax(1).tolist(),
                   "final_prediction": [[float("%.9g" % v) for v in row] for row in predicted[:4]]}, out)
    print(folder, "examples", len(rows), "words", V, "loss", loss[-1], "drift", max(abs(a / b - 1) for a, b in zip(loss, other)))


import keras
import numpy as np
from keras import layers as L
from keras.src.legacy.preprocessing.text import Tokenizer

if sys.argv[1] == "--loss":
    print(json.dumps(trained(sys.argv[2])[2]))
else:
    for name in sys.argv[2:] or CASES:
        make(os.path.join(sys.argv[1], name), *CASES[name])
