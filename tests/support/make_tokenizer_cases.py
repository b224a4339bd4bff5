"""Writes tests/data/tokenizer_cases.json: what the real Keras Tokenizer makes of random Unicode texts.

usage: KERAS_BACKEND=jax python make_tokenizer_cases.py OUT.json   (pip install keras jax)
"""
import json
import random
import sys
import unicodedata

import keras
from keras.src.legacy.preprocessing.text import Tokenizer

rng = random.Random(20)
ALPHABETS = [
    "abcABC xyzXYZ  'the The THE don't. a-b_c",
    "äÖß éÈñ ÆŒ Ÿÿ  strasse STRASSE",
    "ΑΒΣαβσς Σ ΟΔΟΣ ΣΑΣ.ΣΑ'Σ:ΣΣ  \u0301\u00ad\u2019",
    "İIıi iİ ISPARTA  ",
    "ДжЁ приВЕТ мир  Ѐ",
    "ႠႡᲐᲑ ᏣᎳᎩ ꭰ  ԱԲ \U00010400\U00010428",
    "你好 世界 こんにちは 안녕  ",
    "🙂👩\u200d👩\u200d👧 e\u0301 ᾈᾼ ǅ ﬃ ẞ \u00a0\u2003\u3000 ",
    "\r\x0b\x0c\x1c \t\n,.;:!? ab AB  \u2028",
    "שלום مرحبا  ١٢٣ १२ ",
]
CASED = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and chr(c).lower() != chr(c)]
ASSIGNED = [chr(c) for c in range(0x20, 0x20000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co", "Cc")]


def text():
    pool = rng.choice(ALPHABETS + [None, None])
    n = rng.choice([0, 1, 3, 12, 12, 20])
    if pool is None:
        return "".join(rng.choice([rng.choice(CASED), rng.choice(ASSIGNED), " ", "Σ", "a"]) for _ in range(n))
    if rng.random() < 0.4:  # whole words repeat, so that counts and ties matter
        words = pool.split(" ")
        return " ".join(rng.choice(words) for _ in range(n // 2))
    return "".join(rng.choice(pool) for _ in range(n))


OPTIONS = [
    {}, {}, {}, {}, {}, {},
    {"num_words": 10}, {"num_words": 5, "oov_token": "<OOV>"}, {"num_words": 0}, {"oov_token": "<OOV>"},
    {"oov_token": "the"}, {"oov_token": "a", "num_words": 2}, {"lower": False}, {"char_level": True},
    {"char_level": True, "lower": False, "oov_token": "?"}, {"filters": ""}, {"filters": "aΣβ世🙂"},
    {"split": "a"}, {"split": "ab"}, {"split": "世"}, {"split": ",", "filters": " "}, {"filters": "ABC abc", "split": "--"},
]
cases = []
for k in range(2 * len(OPTIONS)):
    options = OPTIONS[k % len(OPTIONS)]
    lines, probes = [text() for _ in range(40)], [text() for _ in range(20)]
    tokenizer = Tokenizer(**options)
    tokenizer.fit_on_texts(lines)
    cases.append({
        "options": options,
        "lines": lines,
        "counts": [[w, c, tokenizer.word_docs[w]] for w, c in tokenizer.word_counts.items()],
        "index": sorted(([i, w] for w, i in tokenizer.word_index.items())),
        "probes": [[p, s] for p, s in zip(probes, tokenizer.texts_to_sequences(probes))],
    })
# Every character that has a lower case, in one text each of a thousand, after "A" so that the sigma's rule is at work.
lowers = [["A" + "".join(CASED[i:i + 40]), ("A" + "".join(CASED[i:i + 40])).lower()] for i in range(0, len(CASED), 40)]
texts = [text() + rng.choice(["", "Σ", "'Σ", "Σ."]) + text() for _ in range(600)]
lowers += [[t, t.lower()] for t in texts]
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump({"keras": keras.__version__, "unicode": unicodedata.unidata_version, "cases": cases, "lowers": lowers}, out,
              ensure_ascii=False, separators=(",", ":"))
print(keras.__version__, len(cases), "tokenizers", sum(len(c["lines"]) + len(c["probes"]) for c in cases), "texts",
      len(lowers), "lower-cased texts")
