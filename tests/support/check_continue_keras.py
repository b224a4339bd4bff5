"""Holds script/continue_keras.py against one device, against Keras's recorded curves and against `moelab train`.

Each model is trained on with its experts on 1 and on 4 virtual devices of the processor: the losses agree with each other
and with the curve of the file as tests/data says (relative, in every epoch, within 1e-5 or ten times the drift so far);
experts lie on the devices in parts; what comes out opens here and predicts what Keras does.

usage: python check_continue_keras.py MOELAB WORK_FOLDER     (pip install keras jax)
"""
import json
import os
import socket
import subprocess
import sys

MOELAB, WORK = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT, DATA = os.path.join(HERE, "../../script/continue_keras.py"), os.path.join(HERE, "../data/keras")


def run(*command):
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(command), ran.stdout, ran.stderr))
    return ran.stdout


def continued(model, corpus, devices, epochs, out, *more):
    return json.loads(run(sys.executable, SCRIPT, model, "--corpus", corpus, "--devices", str(devices), "--epochs", str(epochs),
                          "--out", out, "--virtual", "--no-shuffle", "--json", *more).splitlines()[-1])


def apart(a, b):
    return [abs(x / y - 1) for x, y in zip(a, b)]


def allowed(drift):
    return [max(1e-5, 10 * max(drift[:i + 1])) for i in range(len(drift))]


def within(distances, bounds):
    return all(d <= b for d, b in zip(distances, bounds))


def check_curve(name, epochs):
    folder = os.path.join(DATA, name)
    curve = json.load(open(folder + "/curve.json"))
    losses = curve["loss"][:epochs]
    bounds = allowed(curve["drift"][:epochs])
    devices = next(n for n in (4, 3, 2) if curve["E"] % n == 0)
    one, more = (continued(folder + "/init.keras", folder + "/corpus.txt", n, len(losses), "%s/%s-%d" % (WORK, name, n),
                           "--batch-size", str(curve["batch"])) for n in (1, devices))
    against_one, against_curve = apart(more["loss"], one["loss"]), apart(more["loss"], losses)
    split = all("expert" in spec for path, spec in more["sharding"].items() if "einsum" in path)
    good = within(against_one, bounds) and within(against_curve, bounds) and split
    print("%-17s %d experts on %d devices, %d epochs: loss apart from one device %.1e, from Keras's curve %.1e (allowed %.1e)%s" %
          (name, curve["E"], devices, len(losses), max(against_one), max(against_curve), bounds[-1],
           "" if split else "; EXPERTS ARE NOT SPLIT"), flush=True)
    return good


def check_round(settings):
    """From the lab to several devices and back."""
    folder = WORK + "/lab"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/corpus.txt", "w") as out:
        out.write("the cat sat on the mat\nthe dog sat on the cat\na cat and a dog\nwhere is the dog\nthe dog is on the mat\n")
    options = [word for s in settings for word in ("--set", s)]
    run(MOELAB, "train", "--corpus", folder + "/corpus.txt", "--out", folder, "--epochs", "6", "--no-shuffle", *options)
    here = json.loads(run(MOELAB, "train", "--corpus", folder + "/corpus.txt", "--init", folder, "--out", folder + "-here",
                          "--no-shuffle", "--epochs", "20", "--json"))["loss"]
    there = continued(folder + "/model.keras", folder + "/corpus.txt", 4, 20, folder + "-there")
    distance = max(apart(there["loss"], here))
    phrases = ["the cat", "a", "where is the"]
    answers = [json.loads(run(MOELAB, "predict", "--model", folder + end, "--json", *phrases))["predictions"]
               for end in ("-here", "-there")]
    words = [[a["word"] for a in answer] for answer in answers]
    off = max(abs(a["top"][0]["probability"] - b["top"][0]["probability"]) for a, b in zip(*answers))
    print("%-17s from the lab to 4 devices and back, 20 epochs: loss apart from here %.1e, predictions %.1e%s" %
          (" ".join(settings)[:40] or "tutorial's sizes", distance, off, "" if words[0] == words[1] else "; OTHER WORDS"), flush=True)
    return distance <= 1e-3 and off <= 1e-3 and words[0] == words[1]


def check_two_computers():
    """Two processes that are two computers to each other, two devices each, as one with four."""
    model, corpus, out = WORK + "/lab/model.keras", WORK + "/lab/corpus.txt", WORK + "/lab-two"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
    hosts = [subprocess.Popen([sys.executable, SCRIPT, model, "--corpus", corpus, "--devices", "4", "--epochs", "20", "--out", out,
                               "--virtual", "--no-shuffle", "--json", "--hosts", "2", "--host", str(i), "--coordinator", address],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for i in range(2)]
    said = [host.communicate() for host in hosts]
    if any(host.returncode != 0 for host in hosts):
        sys.exit("two computers: %s" % said)
    one = continued(model, corpus, 1, 20, WORK + "/lab-one")["loss"]
    distance = max(apart(json.loads(said[0][0].splitlines()[-1])["loss"], one))
    phrases = ["the cat", "a", "where is the"]
    a, b = (json.loads(run(MOELAB, "predict", "--model", folder, "--json", *phrases))["predictions"] for folder in (out, WORK + "/lab-one"))
    off = max(abs(x["top"][0]["probability"] - y["top"][0]["probability"]) for x, y in zip(a, b))
    print("two computers of two devices, 20 epochs: loss apart from one device %.1e, predictions %.1e" % (distance, off), flush=True)
    return distance <= 1e-5 and off <= 1e-5


os.makedirs(WORK, exist_ok=True)
results = [check_curve(name, epochs) for name, epochs in
           (("tutorial-builtin", 40), ("masked", 60), ("top2", 20), ("words2000", 2))]
results.append(check_round(["batch_size=7", "learning_rate=0.003"]))
results.append(check_round(["num_experts=8", "embedding_dim=13", "hidden_dim=19", "mask_zero=true", "batch_size=5"]))
results.append(check_round(["family=token", "router=top_k", "num_experts=8", "embedding_dim=13", "batch_size=5"]))
results.append(check_two_computers())
print("%d passed, %d failed" % (sum(results), len(results) - sum(results)))
sys.exit(0 if all(results) else 1)
