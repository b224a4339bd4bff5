#!/usr/bin/env python3
"""Trains a model of MoE Lab's on with Keras on JAX, its experts split over devices.

Takes a .keras file in Keras's own layers (what Save, `moelab train` and `moelab export --keras` write), a text, and
trains with the optimizer's state that the file holds. Each device keeps its share of the experts and of their part of
Adam's memory; all else is on every device. What comes out is a folder that the lab opens: model.keras, tokenizer.json,
max_seq_len.txt. It is replaced only when it is whole.

    pip install keras jax                       (jax[cuda12] where there are NVIDIA GPUs)
    script/continue_keras.py first/model.keras --corpus corpus.txt --devices 4 --out more
    moelab predict --model more how are

Several GPUs of one computer: --devices N takes the first N. Without GPUs --virtual makes N devices of the processor, to
try it. Several computers: start it on each, with the same arguments and files, and with --hosts H --host I (0 to H-1)
--coordinator ADDRESS:PORT of computer 0; --devices then counts those of all of them together, and computer 0 writes.
"""
import argparse
import json
import os
import re
import sys
import tempfile
import zipfile


def refuse(sentence):
    raise SystemExit("continue_keras: " + sentence)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL.keras")
    parser.add_argument("--corpus", required=True, metavar="FILE", help="a line is a sentence; every beginning asks for its next word")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="over which the experts are split (1)")
    parser.add_argument("--out", default="continued", metavar="DIR", help="the folder to write (continued)")
    parser.add_argument("--epochs", type=int, default=1, metavar="E", help="passes over the text (1)")
    parser.add_argument("--batch-size", type=int, metavar="B", help="examples a step (the model's own, else 32)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="(the model's own)")
    parser.add_argument("--no-shuffle", action="store_true", help="the examples in the text's order, as --no-shuffle of moelab")
    parser.add_argument("--virtual", action="store_true", help="devices of the processor, to try it without GPUs")
    parser.add_argument("--json", action="store_true", help="at the end the losses as JSON, and no progress bar")
    parser.add_argument("--hosts", type=int, default=1, metavar="H", help="computers (1)")
    parser.add_argument("--host", type=int, default=0, metavar="I", help="which of them this is (0)")
    parser.add_argument("--coordinator", metavar="ADDRESS:PORT", help="of computer 0, where there are several")
    a = parser.parse_args()
    for name in ("devices", "epochs", "hosts"):
        if getattr(a, name) < 1:
            parser.error("--%s is at least 1" % name)
    if a.batch_size is not None and a.batch_size < 1:
        parser.error("--batch-size is at least 1")
    if a.devices % a.hosts != 0:
        parser.error("--devices counts those of all computers, so it is a multiple of --hosts")
    if a.hosts > 1 and (not a.coordinator or not 0 <= a.host < a.hosts):
        parser.error("--hosts needs --coordinator, and --host from 0 to %d" % (a.hosts - 1))
    return a


class Model:
    """What is read of the file before Keras is started: devices are chosen by it."""

    def __init__(self, path):
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = set(archive.namelist())
                config = json.loads(archive.read("config.json"))
                inside = lambda name: json.loads(archive.read(name)) if name in members else None
                self.tokenizer = inside("moe-lab/tokenizer.json")
                settings = (inside("moe-lab/experiment.json") or {}).get("settings", {})
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            refuse("'%s' cannot be read as a Keras model (%s)." % (path, error))
        self.batch_size = int(settings["batch_size"]) if "batch_size" in settings else None
        beside = os.path.join(os.path.dirname(path), "tokenizer.json")
        if self.tokenizer is None and os.path.exists(beside):
            try:
                with open(beside, encoding="utf-8") as file:
                    self.tokenizer = json.load(file)
            except (OSError, ValueError) as error:
                refuse("'%s' cannot be read as a tokenizer (%s)." % (beside, error))
        # to_json() gives a text; saved by json.dump it is a text in a text.
        for _ in range(4):
            if isinstance(self.tokenizer, str):
                try:
                    self.tokenizer = json.loads(self.tokenizer)
                except ValueError as error:
                    refuse("'%s' cannot be read as a tokenizer (%s)." % (beside, error))
        if self.tokenizer is not None and not isinstance(self.tokenizer, dict):
            refuse("'%s' is no tokenizer of Keras's." % beside)
        if self.tokenizer is None:
            refuse("'%s' has no tokenizer inside, and there is no tokenizer.json beside it." % path)
        layers = config.get("config", {}).get("layers", [])
        # The experts' layers: one kernel for all of them, its axis 0 the expert.
        self.expert_layers = [
            layer["config"]["name"] for layer in layers
            if layer.get("class_name") == "EinsumDense" and layer["config"]["equation"].split(",")[1].startswith("e")
        ]
        if not self.expert_layers:
            refuse("'%s' has no experts in Keras's own layers; write them so with moelab export --model %s --keras FILE.keras."
                   % (path, path))
        self.experts = next(layer["config"]["output_shape"][-2] for layer in layers
                            if layer["config"].get("name") == self.expert_layers[0])


    def length_beside(self):
        """The number of words of a model that takes phrases of any length."""
        path = os.path.join(os.path.dirname(self.path), "max_seq_len.txt")
        try:
            with open(path, encoding="utf-8") as file:
                return int(file.read())
        except (OSError, ValueError) as error:
            refuse("'%s' takes phrases of any length, and '%s' does not say one (%s)." % (self.path, path, error))


def ids_of(lines, tokenizer):
    """Each line as the numbers of its words, as Keras's Tokenizer has them; unknown words are left out."""
    config = tokenizer["config"]
    index = config["word_index"]
    index = json.loads(index) if isinstance(index, str) else index
    unknown = index.get(config.get("oov_token"))
    most = config.get("num_words")
    for line in lines:
        if config.get("lower", True):
            line = line.lower()
        if config.get("char_level"):
            words = list(line)
        else:
            line = line.translate({ord(sign): config["split"] for sign in config["filters"]})
            words = [word for word in line.split(config["split"]) if word]
        numbers = [index.get(word, unknown) for word in words]
        if most:
            numbers = [unknown if n is not None and n >= most else n for n in numbers]
        yield [n for n in numbers if n is not None]


def examples_of(path, tokenizer, length, np):
    """Rows of `length` words, padded on the left, and the word that follows each."""
    try:
        # As the lab reads it: a mark at the file's beginning is none of its words, and only line ends end lines.
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = file.read().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        refuse("the text '%s' cannot be read (%s)." % (path, error))
    rows, targets = [], []
    for ids in ids_of(lines, tokenizer):
        for i in range(1, len(ids)):
            phrase = ids[max(0, i - length):i]
            rows.append([0] * (length - len(phrase)) + phrase)
            targets.append(ids[i])
    if not rows:
        refuse("'%s' has no line with two words that the model knows." % path)
    return np.array(rows, "int32"), np.array(targets, "int32")


def replace(path, write):
    """`write` makes a file beside `path`, which takes its place when it is whole."""
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(suffix=os.path.splitext(path)[1], dir=folder)
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(handle, 0o666 & ~mask)  # mkstemp's own is for one's eyes only
    os.close(handle)
    try:
        write(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_text(text):
    def write(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return write


def distribute(keras, model, count):
    devices = keras.distribution.list_devices()
    if len(devices) < count:
        refuse("there are %d devices here and not %d; --virtual tries it with devices of the processor." % (len(devices), count))
    mesh = keras.distribution.DeviceMesh((1, count), ["batch", "expert"], devices[:count])
    layout = keras.distribution.LayoutMap(mesh)
    names = "|".join(re.escape(name) for name in model.expert_layers)
    # Also Adam's two numbers for each weight, which are named after it.
    layout["(^|[/_])(%s)[/_]kernel" % names] = ("expert", None, None)
    layout["(^|[/_])(%s)[/_]bias" % names] = ("expert", None)
    keras.distribution.set_distribution(keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch",
                                                                       auto_shard_dataset=False))


def gathered(keras, path, network):
    """The network whole on this computer: what the devices of others hold comes over. All of them take part."""
    from jax.experimental import multihost_utils
    values = [multihost_utils.process_allgather(v.value, tiled=True) for v in network.variables + network.optimizer.variables]
    keras.distribution.set_distribution(None)
    whole = keras.models.load_model(path)
    if whole.optimizer is None:
        whole.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    whole.optimizer.build(whole.trainable_variables)
    for variable, value in zip(whole.variables + whole.optimizer.variables, values):
        variable.assign(value)
    return whole


def main():
    a = arguments()
    model = Model(a.model)
    if model.experts % a.devices != 0:
        refuse("%d experts cannot be shared out to %d devices evenly." % (model.experts, a.devices))
    os.environ["KERAS_BACKEND"] = "jax"
    if a.virtual:
        os.environ["JAX_PLATFORMS"] = "cpu"
        flags = os.environ.get("XLA_FLAGS", "")
        # Devices wait for each other: with fewer threads than devices they would wait for ever.
        os.environ.setdefault("PJRT_NPROC", str(max(os.cpu_count() or 1, 2 * a.devices)))
        os.environ["XLA_FLAGS"] = "%s --xla_force_host_platform_device_count=%d" % (flags, a.devices // a.hosts)
    try:
        import keras
        import numpy as np
    except ImportError as error:
        refuse("Keras on JAX is needed (%s): pip install keras jax." % error)
    if a.hosts > 1:
        keras.distribution.initialize(a.coordinator, a.hosts, a.host)
    keras.utils.set_random_seed(1)  # all computers shuffle alike
    distribute(keras, model, a.devices)

    network = keras.models.load_model(a.model)
    if network.optimizer is None:
        network.compile(optimizer=keras.optimizers.Adam(a.learning_rate or 1e-3), loss="sparse_categorical_crossentropy",
                        metrics=["accuracy"])
    if a.learning_rate is not None:
        network.optimizer.learning_rate = a.learning_rate
    length = network.input_shape[1] or model.length_beside()
    rows, targets = examples_of(a.corpus, model.tokenizer, length, np)
    batch = a.batch_size or model.batch_size or 32
    if not a.json:
        print("%d examples, %d experts, %d on each of %d %s devices" %
              (len(rows), model.experts, model.experts // a.devices, a.devices, "virtual" if a.virtual else "JAX"), flush=True)

    class Losses(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.loss, self.accuracy = [], []

        def on_epoch_end(self, epoch, logs=None):
            self.loss.append(float(logs["loss"]))
            self.accuracy.append(float(logs.get("accuracy", float("nan"))))

    losses, stopped = Losses(), False
    try:
        network.fit(rows, targets, batch_size=batch, epochs=a.epochs, shuffle=not a.no_shuffle, callbacks=[losses],
                    verbose=0 if a.json or a.host != 0 else 1)
    except KeyboardInterrupt:
        stopped = True
    if any(loss != loss for loss in losses.loss):
        refuse("training diverged: the loss is no number any more. Nothing was written; try a smaller --learning-rate.")
    sharding = {v.path: str(getattr(v.value.sharding, "spec", "")) for v in network.trainable_variables}
    if a.hosts > 1:
        network = gathered(keras, a.model, network)
    if a.host == 0:
        os.makedirs(a.out, exist_ok=True)
        replace(os.path.join(a.out, "model.keras"), network.save)
        replace(os.path.join(a.out, "tokenizer.json"), write_text(json.dumps(model.tokenizer)))
        replace(os.path.join(a.out, "max_seq_len.txt"), write_text(str(length)))
    if a.json:
        print(json.dumps({"examples": len(rows), "devices": a.devices, "loss": losses.loss, "accuracy": losses.accuracy,
                          "sharding": sharding}))
    elif a.host == 0:
        print("%s; wrote %s, which MoE Lab opens." % ("Stopped" if stopped else "Done", a.out))
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
