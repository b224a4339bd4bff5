"""The seed step in JAX by hand: one jitted step with dense Adam and donated buffers. Variant: step."""
from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from protocol import EXPERTS, WIDTH, Work, epoch, initial_weights, serve


def fresh(vocabulary: int) -> dict[str, jax.Array]:
    biases = {"hidden_bias": (EXPERTS, WIDTH), "output_bias": (EXPERTS, WIDTH), "gate_bias": (EXPERTS,),
              "head_bias": (vocabulary,)}
    weights = {name: jnp.asarray(value) for name, value in initial_weights(vocabulary).items()}
    return weights | {name: jnp.zeros(shape) for name, shape in biases.items()}


def loss_of(p, ids, targets):
    x = p["embedding"][ids].mean(1)
    hidden = jax.nn.relu(jnp.einsum("bd,edh->beh", x, p["hidden"]) + p["hidden_bias"])
    answers = jnp.einsum("beh,ehd->bed", hidden, p["output"]) + p["output_bias"]
    gate = jax.nn.softmax(x @ p["gate"] + p["gate_bias"])
    logits = jnp.einsum("be,bed->bd", gate, answers) @ p["head"] + p["head_bias"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, None], 1).mean()


@functools.partial(jax.jit, donate_argnums=0)
def step(state, ids, targets):
    p, m, v, t = state
    loss, gradient = jax.value_and_grad(loss_of)(p, ids, targets)
    t = t + 1
    rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, gradient)
    v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, gradient)
    p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), p, m, v)
    return (p, m, v, t), loss


def make(words: list[str]) -> Work:
    vocabulary, batch = int(words[1]), int(words[2])
    if words[3] != "step":
        raise ValueError(f"there is no variant {words[3]}")
    ids, targets = epoch(vocabulary, batch)
    batches = [(jnp.asarray(ids[i:i + batch]), jnp.asarray(targets[i:i + batch])) for i in range(0, len(ids), batch)]
    weights = fresh(vocabulary)
    state = (weights, jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights), jnp.float32(0))
    at = 0

    def work(count: int) -> tuple[int, float]:
        nonlocal state, at
        for _ in range(count):
            state, loss = step(state, *batches[at])
            at = (at + 1) % len(batches)
        jax.block_until_ready(state)
        return count, float(loss)

    work(10)
    return work


serve(f"JAX {jax.__version__}", make, jax.clear_caches)
