"""Writes tests/data/tokenizer_random.json: what the real Keras Tokenizer makes of 10,000 random texts.

The texts themselves are not in the file: they follow from the alphabets and each case's seed by the generator below,
which tests/formats/tokenizer_files_test.cpp has too. A case's hashes are FNV-1a over what Keras made of its texts.

usage: KERAS_BACKEND=jax python make_tokenizer_random.py OUT.json   (pip install keras jax)
"""
import json
import platform
import random
import sys
import unicodedata

import keras
from keras.src.legacy.preprocessing.text import Tokenizer

MASK = (1 << 64) - 1
LINES, PROBES, CASES = 30, 20, 200


class Generator:
    """splitmix64, and texts of it."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % bound

    def text(self):
        own, parts = self.below(len(ALPHABETS)), []
        for _ in range(self.below(25)):
            alphabet = ALPHABETS[own if self.below(5) else self.below(len(ALPHABETS))]
            parts.append(alphabet[self.below(len(alphabet))])
        return "".join(parts)


rng = random.Random(31)
CASED = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and chr(c).lower() != chr(c)]
ASSIGNED = [chr(c) for c in range(0x20, 0x20000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co", "Cc")]
SPACES = [" ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\x0b", "\u00a0", "\u3000", "\u2028"]
ALPHABETS = [
    ["the", "The", "THE", "a", "A", "don't", "Don't", "DON\u2019T", "o'clock", "'", "x-y", "a.b", "C3PO", " ", " ", " ", " "],
    ["how", "are", "you", "Hello", "WORLD", "hello,", "world!", "(again)", " ", " ", " ", " "],
    ["a", "b", "A", "B", "ab", "--", ",", ".", "'", "_", "\"", "\\", "/", "^"] + SPACES,
    ["ä", "Ö", "ß", "ẞ", "É", "ñ", "Æ", "Œ", "Ÿ", "STRASSE", "Straße", "ﬃ", "ǅ", "Ǆ"] + SPACES,
    ["Σ", "ΟΔΟΣ", "ΣΑΣ", "Α", "β", "ς", "σ", ".", "'", "\u0301", "\u00ad", "\u2019", ":", "a", "1"] + SPACES[:4],
    ["İ", "I", "ı", "i", "ISPARTA", "K", "\u212a", "Å", "\u212b"] + SPACES[:4],
    ["Д", "Ж", "ё", "ПРИВЕТ", "мир", "Ѐ", "Ⴀ", "Ა", "Ꭳ", "ꭰ", "Ա", "\U00010400", "𝐀"] + SPACES[:4],
    ["你", "好", "世界", "こんにちは", "안녕", "，", "。", "שלום", "مرحبا", "१२", "١٢"] + SPACES,
    ["🙂", "👩\u200d👩\u200d👧", "e\u0301", "\ufe0f", "1\u20e3", "🇩🇪", "\u200b", "\u2060", "z\u0335"] + SPACES,
    rng.sample(CASED, 400) + ["Σ", "a", " "] * 60,
    rng.sample(ASSIGNED, 700) + ["Σ", "A", " "] * 100,
]
DEFAULT = Tokenizer().filters


def options(number):
    """Each option alone, then all of them at random."""
    single = [
        {}, {"num_words": 1}, {"num_words": 2}, {"num_words": 12}, {"num_words": 0}, {"oov_token": "<OOV>"},
        {"oov_token": "the"}, {"oov_token": ""}, {"lower": False}, {"char_level": True}, {"filters": ""}, {"filters": "'"},
        {"filters": DEFAULT + "'\u2019\r"}, {"filters": "aΣß世🙂 "}, {"split": "a"}, {"split": "--"}, {"split": "世"},
        {"split": "\n"}, {"split": ", "},
    ]
    if number < 2 * len(single):
        return single[number % len(single)]
    all_of = {
        "num_words": [None, None, None, 3, 10, 40], "filters": [DEFAULT, DEFAULT, "", "'.", "ABCabc", "ΣΟ世\u0301"],
        "lower": [True, True, False], "split": [" ", " ", " ", "a", "--", "世", "\t"], "char_level": [False] * 4 + [True],
        "oov_token": [None, None, "<OOV>", "a", "Σ", "你"],
    }
    return {key: rng.choice(values) for key, values in all_of.items()}


def fnv(text):
    h = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return "%016x" % h


cases, texts = [], 0
for number in range(CASES):
    given, seed = options(number), rng.getrandbits(64)
    generator = Generator(seed)
    lines = [generator.text() for _ in range(LINES)]
    probes = lines + [generator.text() for _ in range(PROBES)]
    tokenizer = Tokenizer(**given)
    tokenizer.fit_on_texts(lines)
    fitted = "".join("%s\0%d\0%d\n" % (w, c, tokenizer.word_docs[w]) for w, c in tokenizer.word_counts.items())
    fitted += "".join("%d\0%s\n" % (i, w) for w, i in sorted(tokenizer.word_index.items(), key=lambda item: item[1]))
    sequences = tokenizer.texts_to_sequences(probes)
    ids = "".join(" ".join(map(str, s)) + "\n" for s in sequences)
    cases.append([seed, given, fnv(fitted), fnv(ids), sum(map(len, sequences))])
    texts += len(probes)
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump({"keras": keras.__version__, "python": platform.python_version(), "unicode": unicodedata.unidata_version,
               "lines": LINES, "probes": PROBES, "texts": texts, "alphabets": ALPHABETS, "cases": cases}, out,
              ensure_ascii=False, separators=(",", ":"))
print(keras.__version__, len(cases), "tokenizers", texts, "texts", sum(c[4] for c in cases), "ids")
