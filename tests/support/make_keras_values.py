"""Writes tests/data/keras/values.json: what h5py reads in Keras's own archives.

usage: python make_keras_values.py TESTS_DATA_KERAS   (pip install h5py)
"""
import io
import json
import os
import sys
import zipfile

import h5py
import numpy as np

NAMES = {
    "embedding": "embedding/vars/0",
    "gate/kernel": "dense/vars/0", "gate/bias": "dense/vars/1",
    "experts/hidden/kernel": "einsum_dense/vars/0", "experts/hidden/bias": "einsum_dense/vars/1",
    "experts/output/kernel": "einsum_dense_1/vars/0", "experts/output/bias": "einsum_dense_1/vars/1",
    "head/kernel": "dense_1/vars/0", "head/bias": "dense_1/vars/1",
}


def digest(dataset):
    a = np.asarray(dataset).ravel()
    weights = np.arange(1, a.size + 1, dtype=np.float64) % 1009 + 1
    picks = sorted({0, a.size // 3, a.size // 2, a.size - 1})
    return {"shape": list(dataset.shape), "weighted_sum": float((a.astype(np.float64) * weights).sum()),
            "values": [[int(i), float(a[i])] for i in picks]}


result = {}
root = sys.argv[1]
for folder in sorted(os.listdir(root)):
    for file in ("init.keras", "final.keras"):
        path = os.path.join(root, folder, file)
        if folder == "tutorial" or not os.path.exists(path):
            continue
        with zipfile.ZipFile(path) as archive:
            h5 = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
        arrays = {name: digest(h5["layers/" + group]) for name, group in NAMES.items()}
        optimizer = h5["optimizer/vars"]
        entry = {"parameters": arrays, "step": int(optimizer["0"][()]), "learning_rate": float(optimizer["1"][()])}
        if "2" in optimizer:
            # Keras's trainable variables of this form come in the order of NAMES: m and v of each.
            entry["momentum"] = {n: digest(optimizer[str(2 + 2 * i)]) for i, n in enumerate(NAMES)}
            entry["velocity"] = {n: digest(optimizer[str(3 + 2 * i)]) for i, n in enumerate(NAMES)}
        result[folder + "/" + file] = entry
with open(os.path.join(root, "values.json"), "w") as out:
    json.dump(result, out, separators=(",", ":"))
print({k: v["step"] for k, v in result.items()})
