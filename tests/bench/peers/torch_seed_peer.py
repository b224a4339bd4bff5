"""The seed step in PyTorch: torch_seed_peer.py THREADS [cpu|cuda].

Variants: eager (an expert a module, plain Adam), fused (fused Adam), batched (experts in one batched product too),
compiled (forward and backward of that by torch.compile too); on a GPU alone reduce-overhead (compiled, its kernels in CUDA
graphs, in torch.compile's own mode for that) and graph (the whole step of batched, Adam too, as one captured CUDA graph).
"""
from __future__ import annotations

import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from protocol import EXPERTS, WIDTH, Work, epoch, initial_weights, serve
from torch_layers import device_named, finish, linear, use_threads, versions_on

use_threads(int(sys.argv[1]))
DEVICE = device_named(sys.argv[2] if len(sys.argv) > 2 else "cpu")
ON_GPU_ALONE = ("reduce-overhead", "graph")


class Common(nn.Module):
    def __init__(self, start: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(start["embedding"], freeze=False)
        self.gate, self.head = linear(start["gate"]), linear(start["head"])


class Tutorial(Common):
    def __init__(self, start: dict[str, torch.Tensor]) -> None:
        super().__init__(start)
        self.experts = nn.ModuleList(nn.Sequential(linear(start["hidden"][e]), nn.ReLU(), linear(start["output"][e]))
                                     for e in range(EXPERTS))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).mean(1)
        answers = torch.stack([expert(x) for expert in self.experts], 1)
        gate = torch.softmax(self.gate(x), -1)
        return self.head((gate.unsqueeze(-1) * answers).sum(1))


class Batched(Common):
    def __init__(self, start: dict[str, torch.Tensor]) -> None:
        super().__init__(start)
        # The first kernels stand side by side: one product.
        self.hidden = nn.Parameter(start["hidden"].transpose(0, 1).reshape(WIDTH, EXPERTS * WIDTH).contiguous())
        self.hidden_bias = nn.Parameter(torch.zeros(EXPERTS * WIDTH))
        self.output = nn.Parameter(start["output"].clone())
        self.output_bias = nn.Parameter(torch.zeros(EXPERTS, 1, WIDTH))
        self.to(start["output"].device)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).mean(1)
        hidden = F.relu(torch.addmm(self.hidden_bias, x, self.hidden))
        answers = torch.baddbmm(self.output_bias, hidden.view(-1, EXPERTS, WIDTH).transpose(0, 1), self.output)
        gate = torch.softmax(self.gate(x), -1)
        return self.head(torch.einsum("be,ebd->bd", gate, answers))


Step = Callable[..., torch.Tensor]  # from a batch to its loss


def captured(step: Step, example: torch.Tensor) -> Step:
    """`step` as one CUDA graph, on a batch in one tensor that is copied to where it was captured."""
    batch = example.clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(batch)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(batch)

    def replayed(other: torch.Tensor) -> torch.Tensor:
        batch.copy_(other)
        graph.replay()
        return loss

    return replayed


def make(words: list[str]) -> Work:
    vocabulary, batch, variant = int(words[1]), int(words[2]), words[3]
    if variant not in ("eager", "fused", "batched", "compiled", *ON_GPU_ALONE):
        raise ValueError(f"there is no variant {variant}")
    if variant in ON_GPU_ALONE and DEVICE.type != "cuda":
        raise ValueError(f"{variant} needs a GPU")
    start = {name: torch.from_numpy(value).to(DEVICE) for name, value in initial_weights(vocabulary).items()}
    model = (Tutorial if variant in ("eager", "fused") else Batched)(start)
    fused = {} if variant == "eager" else {"fused": True, "capturable": variant == "graph"}
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, **fused)

    def loss_of(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(ids), targets)

    forward = loss_of
    if variant == "compiled":
        forward = torch.compile(loss_of, dynamic=False)
    elif variant == "reduce-overhead":
        forward = torch.compile(loss_of, dynamic=False, mode="reduce-overhead")

    def step(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        adam.zero_grad(set_to_none=True)
        loss = forward(ids, targets)
        loss.backward()
        adam.step()
        return loss

    def parts(row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return row[:-batch].view(batch, -1), row[-batch:]

    # A batch is a row, its ids and then its next words: a captured graph takes one copy.
    rows = torch.cat([torch.from_numpy(x).long().view(len(x) // batch, -1) for x in epoch(vocabulary, batch)], 1)
    rows = rows.to(DEVICE).unbind()
    take, batches = step, [parts(row) for row in rows]
    if variant == "graph":
        take, batches = captured(lambda row: step(*parts(row)), rows[0]), [(row,) for row in rows]
    at = 0

    def work(count: int) -> tuple[int, float]:
        nonlocal at
        for _ in range(count):
            loss = take(*batches[at])
            at = (at + 1) % len(batches)
        finish(DEVICE)
        return count, float(loss.detach())

    work(10)
    return work


serve(versions_on(DEVICE), make, torch.compiler.reset)
