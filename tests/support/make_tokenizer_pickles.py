"""Writes tests/data/tokenizer_pickles.json: Keras Tokenizers as Python pickles them, and as to_json() writes them.

usage: KERAS_BACKEND=numpy python make_tokenizer_pickles.py OUT.json   (pip install keras)
"""
import base64
import json
import pickle
import platform
import sys

import keras
from keras.src.legacy.preprocessing.text import Tokenizer

many = " ".join("w%d" % i for i in range(1001))  # pickle writes a dictionary in batches of 1000: the last has one word
OPTIONS = [
    ({}, ["hello world how are you", "how are you doing today", "hello world again", "fine thank you"]),
    ({}, ["one"]),
    ({"num_words": 300, "oov_token": "<OOV>"}, ["a b", "b c d"]),
    ({"num_words": 70000, "filters": "äΣ", "split": "--", "lower": False}, ["Ein--ZWEI--世界", "🙂--Ein Σ"]),
    ({"char_level": True, "filters": ""}, ["Größe 🙂", "x" * 300]),
    ({"oov_token": "?" * 300}, ["w" * 300 + " v"]),
    ({}, [many]),
]
cases = []
for options, lines in OPTIONS:
    tokenizer = Tokenizer(**options)
    tokenizer.fit_on_texts(lines)
    protocols = (2, 4) if lines == [many] else (2, 3, 4, 5)
    pickles = [[p, base64.b64encode(pickle.dumps(tokenizer, p)).decode()] for p in protocols]
    cases.append({"json": tokenizer.to_json(), "pickles": pickles})
with open(sys.argv[1], "w") as out:
    json.dump({"keras": keras.__version__, "python": platform.python_version(), "cases": cases}, out,
              separators=(",", ":"))
print(keras.__version__, platform.python_version(), len(cases))
