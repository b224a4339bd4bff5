"""The seed step in Keras, as the tutorial builds it: KERAS_BACKEND=tensorflow|jax keras_peer.py THREADS.

Variants: fit, train_on_batch, train_on_batch_xla (on JAX everything is compiled by XLA).
"""
from __future__ import annotations

import os
import sys

from protocol import EXPERTS, PHRASE, WIDTH, Work, epoch, initial_weights, serve

THREADS = int(sys.argv[1])
BACKEND = os.environ["KERAS_BACKEND"]
if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)

import keras  # noqa: E402: the threads are set first
from keras import layers  # noqa: E402


class Mixture(layers.Layer):
    """A soft mixture of experts, an expert a small Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = [keras.Sequential([layers.Dense(WIDTH, activation="relu"), layers.Dense(WIDTH)])
                        for _ in range(EXPERTS)]
        self.gate = layers.Dense(EXPERTS, activation="softmax")

    def build(self, shape):
        for part in (*self.experts, self.gate):
            part.build(shape)
        self.built = True

    def call(self, x):
        answers = keras.ops.stack([expert(x) for expert in self.experts], axis=1)
        return keras.ops.sum(keras.ops.expand_dims(self.gate(x), -1) * answers, axis=1)

    def compute_output_shape(self, shape):
        return (shape[0], WIDTH)


def model_of(vocabulary: int, xla: bool) -> keras.Model:
    ids = keras.Input((PHRASE,), dtype="int32")
    embedding, mixture, head = layers.Embedding(vocabulary, WIDTH), Mixture(), layers.Dense(vocabulary)
    model = keras.Model(ids, head(mixture(layers.GlobalAveragePooling1D()(embedding(ids)))))
    start = initial_weights(vocabulary)
    embedding.set_weights([start["embedding"]])
    for e, expert in enumerate(mixture.experts):
        for layer, kernel in zip(expert.layers, (start["hidden"][e], start["output"][e])):
            layer.kernel.assign(kernel)
    mixture.gate.kernel.assign(start["gate"])
    head.kernel.assign(start["head"])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=xla,
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fitting(model: keras.Model, ids, targets, batch: int) -> Work:
    a_round = len(ids) // batch

    def work(count: int) -> tuple[int, float]:
        epochs = -(-count // a_round)
        # Unshuffled, although moelab shuffles: that is in Keras's favour.
        history = model.fit(ids, targets, batch_size=batch, epochs=epochs, verbose=0, shuffle=False)
        return epochs * a_round, history.history["loss"][-1]

    work(1)
    return work


def on_batches(model: keras.Model, ids, targets, batch: int) -> Work:
    batches = [(ids[i:i + batch], targets[i:i + batch]) for i in range(0, len(ids), batch)]
    at = 0

    def work(count: int) -> tuple[int, float]:
        nonlocal at
        loss = 0.0
        for i in range(count):
            if i == count - 1:
                model.reset_metrics()  # what comes back is the mean since then
            loss = model.train_on_batch(*batches[at])
            at = (at + 1) % len(batches)
        return count, float(loss)

    work(5)
    return work


def make(words: list[str]) -> Work:
    vocabulary, batch, variant = int(words[1]), int(words[2]), words[3]
    model = model_of(vocabulary, xla=BACKEND == "jax" or variant.endswith("_xla"))
    return (fitting if variant == "fit" else on_batches)(model, *epoch(vocabulary, batch), batch)


if BACKEND == "tensorflow":
    VERSIONS = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"
else:
    import jax

    VERSIONS = f"Keras {keras.__version__}, JAX {jax.__version__}"
serve(VERSIONS, make, keras.backend.clear_session)
