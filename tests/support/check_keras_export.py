"""Holds what `moelab export` writes against real Keras, on the backend that KERAS_BACKEND names.

For each case a model is trained here and exported in every form. Keras must open it (the file in built-in layers; the
tutorial's classes with moe_layers.py; the code, which builds and loads), predict the same to 1e-5 and, trained on for 20
epochs from the optimizer's state, have the losses that `moelab train --init` has. What Keras saves again must open here,
predict the same, and hold the same bits: weights and the optimizer's. On TensorFlow training here squares each place of
a word, as that does.

usage: KERAS_BACKEND=jax python check_keras_export.py MOELAB WORK_FOLDER [CASE...]   (pip install keras jax h5py)
"""
import importlib.util
import io
import json
import os
import subprocess
import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np

warnings.filterwarnings("ignore")
MOELAB, WORK = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
EPOCHS, BATCH = 20, 7
TEXT = "the cat sat on the mat\nthe dog sat on the cat\na cat and a dog\nmats and dogs and cats sit\nwhere is the dog\n" \
       "the dog is on the mat\nwho sat on a mat\n"
ODD = ["embedding_dim=13", "hidden_dim=19", "num_experts=5"]
CASES = {
    "tutorial": [],
    "masked": ODD + ["mask_zero=true"],
    "top2": ODD + ["router=top_k", "top_k=2"],
    "linear": ODD + ["activation=linear"],
    "gelu": ODD + ["activation=gelu"],
    "gelu_tanh": ODD + ["activation=gelu_tanh", "mask_zero=true"],
    "gelu_tanh_top2": ODD + ["activation=gelu_tanh", "router=top_k", "top_k=2"],
    "tanh": ODD + ["activation=tanh"],
    "token": ["family=token"],
    "token_masked": ODD + ["family=token", "mask_zero=true"],
    "token_top2": ODD + ["family=token", "router=top_k", "top_k=2"],
    "token_top1": ODD + ["family=token", "router=top_k", "top_k=1", "mask_zero=true"],
    "token_gelu_tanh": ODD + ["family=token", "activation=gelu_tanh", "router=top_k", "top_k=3"],
}


def moelab(*arguments):
    ran = subprocess.run([MOELAB, *arguments], capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit("moelab %s: %s" % (" ".join(arguments), ran.stderr))
    return ran.stdout


def examples(folder):
    index = json.loads(json.load(open(folder + "/tokenizer.json"))["config"]["word_index"])
    T = int(open(folder + "/max_seq_len.txt").read())
    lines = [line.split() for line in TEXT.splitlines()]
    phrases = [line[:i] for line in lines for i in range(1, len(line))]
    rows = [[0] * (T - len(p)) + [index[w] for w in p] for p in phrases]
    targets = [index[line[i]] for line in lines for i in range(1, len(line))]
    return index, phrases, np.array(rows, "int32"), np.array(targets, "int32")


def predicted_here(model, index, phrases):
    answers = json.loads(moelab("predict", "--model", model, "--json", "--top", str(len(index) + 1),
                                *[" ".join(p) for p in phrases]))["predictions"]
    table = np.zeros((len(phrases), len(index) + 1))
    for row, answer in zip(table, answers):
        for word in answer["top"]:
            row[index.get(word["word"], 0)] = word["probability"]
    return table


def numbers(archive):
    """Every array of the weights' file, the optimizer's too, by its place."""
    found = {}
    with h5py.File(io.BytesIO(zipfile.ZipFile(archive).read("model.weights.h5")), "r") as h5:
        h5.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def same_bits(folder, again):
    moelab("export", "--model", again, "--keras", folder + "/back.keras")
    ours, theirs = numbers(folder + "/layers.keras"), numbers(folder + "/back.keras")
    return ours.keys() == theirs.keys() and all(ours[k].tobytes() == theirs[k].tobytes() for k in ours)


def module(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def check(name, settings):
    folder = os.path.join(WORK, name)
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/corpus.txt", "w") as out:
        out.write(TEXT)
    options = [word for s in ["batch_size=%d" % BATCH, "learning_rate=0.003"] + settings for word in ("--set", s)]
    if keras.config.backend() == "tensorflow":
        options += ["--set", "embedding_squares=per_occurrence"]
    moelab("train", "--corpus", folder + "/corpus.txt", "--out", folder, "--epochs", "6", "--no-shuffle", *options)
    index, phrases, rows, targets = examples(folder)
    here = predicted_here(folder, index, phrases)
    losses = json.loads(moelab("train", "--corpus", folder + "/corpus.txt", "--init", folder, "--out", folder + "-on",
                               "--no-shuffle", "--epochs", str(EPOCHS), "--json"))["loss"]
    moelab("export", "--model", folder, "--keras", folder + "/layers.keras")
    moelab("export", "--model", folder, "--keras-code", folder + "/next_word.py")
    forms = {"layers": lambda: keras.models.load_model(folder + "/layers.keras"),
             "code": lambda: module(folder + "/next_word.py").trained()[0]}
    if "router=top_k" not in settings and "family=token" not in settings:
        moelab("export", "--model", folder, "--keras", folder + "/classes.keras", "--classes")
        module(folder + "/moe_layers.py")  # registers the classes
        forms["classes"] = lambda: keras.models.load_model(folder + "/classes.keras")
    good = True
    for form, make in forms.items():
        model = make()
        off = float(abs(np.asarray(model.predict(rows, verbose=0)) - here).max())
        again = folder + "/again-" + form + ".keras"
        model.save(again)
        back = float(abs(predicted_here(again, index, phrases) - here).max())
        bits = same_bits(folder, again)
        loss = model.fit(rows, targets, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0).history["loss"]
        apart = max(abs(a / b - 1) for a, b in zip(loss, losses))
        good = good and off <= 1e-5 and back <= 1e-5 and bits and apart <= 1e-3
        print("%-15s %-8s prediction %.1e   saved again %.1e, %s bits   loss of %d epochs %.1e" %
              (name, form, off, back, "same" if bits else "OTHER", EPOCHS, apart), flush=True)
    said = subprocess.run([sys.executable, folder + "/next_word.py", "the", "dog"], capture_output=True, text=True).stdout
    word = json.loads(moelab("predict", "--model", folder, "--json", "the dog"))["predictions"][0]["word"]
    if not said.startswith(word + " "):
        print("%s: next_word.py says %r, moelab %r" % (name, said, word))
        good = False
    return good


print("Keras %s on %s" % (keras.__version__, keras.config.backend()))
results = [check(name, CASES[name]) for name in sys.argv[3:] or CASES]
print("%d passed, %d failed" % (sum(results), len(results) - sum(results)))
sys.exit(0 if all(results) else 1)
