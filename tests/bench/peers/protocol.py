"""What every peer of tests/bench/against.py speaks: the lines of `moelab bench --serve`, with a variant of its own.

A request `seed V B VARIANT STEPS` or `moe D E N VARIANT REPEATS` is answered with `wall_seconds_a_step
processor_seconds_a_step loss`, or with `error: ` and what went wrong. An empty line or the end of input ends the peer.
"""
from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import numpy as np

# Takes so many steps (or more, where it works in whole epochs); returns how many, and the loss of the last.
Work = Callable[[int], "tuple[int, float]"]

PHRASE, WIDTH, EXPERTS = 20, 64, 4


def epoch(vocabulary: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and next words of as many whole batches as an epoch of `moelab bench` has: phrases of 1 to 20 words by chance,
    with zeros before them, as its corpus gives them."""
    count = max(1, (64 + (vocabulary - 1) // PHRASE) * PHRASE // batch) * batch
    rng = np.random.default_rng(0)
    ids = rng.integers(1, vocabulary, (count, PHRASE), dtype=np.int32)
    lengths = rng.integers(1, PHRASE + 1, (count, 1))
    ids[np.arange(PHRASE) < PHRASE - lengths] = 0
    return ids, rng.integers(1, vocabulary, count, dtype=np.int32)


def initial_weights(vocabulary: int) -> dict[str, np.ndarray]:
    """Keras's start: Glorot-uniform kernels, an embedding within 0.05, no biases."""
    rng = np.random.default_rng(1)

    def glorot(*shape: int) -> np.ndarray:
        limit = np.sqrt(6 / (shape[-2] + shape[-1]))
        return rng.uniform(-limit, limit, shape).astype(np.float32)

    return {"embedding": rng.uniform(-0.05, 0.05, (vocabulary, WIDTH)).astype(np.float32),
            "hidden": glorot(EXPERTS, WIDTH, WIDTH), "output": glorot(EXPERTS, WIDTH, WIDTH),
            "gate": glorot(WIDTH, EXPERTS), "head": glorot(WIDTH, vocabulary)}


def timed(work: Work, count: int) -> str:
    wall, processor = time.perf_counter(), time.process_time()
    done, loss = work(count)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return f"{wall / done:.9f} {processor / done:.9f} {loss:.6f}"


def serve(versions: str, make: Callable[[list[str]], Work], forget: Callable[[], None] = lambda: None) -> None:
    """Answers on what was standard output, which libraries write to as they like. The variants of one size stay until
    another size is asked for; `make` gets a request's words without the count, and warms up what it returns."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print("ready", versions, file=answers)
    works: dict[str, Work] = {}
    size: list[str] = []
    for line in sys.stdin:
        words = line.split()
        if not words:
            break
        try:
            if words[:-2] != size:
                size = words[:-2]
                works.clear()
                forget()
            if words[-2] not in works:
                works[words[-2]] = make(words[:-1])
            print(timed(works[words[-2]], int(words[-1])), file=answers)
        except Exception as error:  # whatever it is: the other variants go on
            text = " ".join(str(error).split())
            print(f"error: {type(error).__name__}: {text[:300]}", file=answers)
