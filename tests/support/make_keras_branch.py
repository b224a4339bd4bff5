"""Writes tests/data/keras/tutorial-builtin/curve_other.json: the same start, trained by the same Keras on other instructions.

In the 43rd epoch one unit's pre-activation is 1e-7: on which side of the ReLU's kink it falls is rounding, and the curves
part from there by up to 2e-4. Keras on JAX takes one side with its default instructions and the other with SSE4 (as does
float64); a right program may take either, but must follow it.

usage: python make_keras_branch.py TESTS_DATA_KERAS/tutorial-builtin   (pip install keras jax)
"""
import json
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["XLA_FLAGS"] = "--xla_cpu_max_isa=SSE4_2"
import keras
import numpy as np

folder = sys.argv[1]
curve = json.load(open(folder + "/curve.json"))
index = json.loads(json.load(open(folder + "/tokenizer.json"))["config"]["word_index"])
rows, targets = [], []
for line in open(folder + "/corpus.txt").read().splitlines():
    ids = [index[word] for word in line.split()]
    for i in range(1, len(ids)):
        rows.append([0] * (curve["T"] - i) + ids[:i])
        targets.append(ids[i])
model = keras.models.load_model(folder + "/init.keras")
history = model.fit(np.array(rows, "int32"), np.array(targets, "int32"), batch_size=curve["batch"], epochs=curve["epochs"],
                    shuffle=False, verbose=0).history
predicted = model.predict(np.array(curve["probe"], "int32"), verbose=0)
with open(folder + "/curve_other.json", "w") as out:
    json.dump({"keras": keras.__version__, "backend": "jax, SSE4_2", "loss": [float(v) for v in history["loss"]],
               "accuracy": [float(v) for v in history["accuracy"]],
               "final_prediction": [[float("%.9g" % v) for v in row] for row in predicted[:4]],
               "final_argmax": predicted.argmax(1).tolist()}, out)
print(max(abs(a / b - 1) for a, b in zip(history["loss"], curve["loss"])))
