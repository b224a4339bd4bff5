"""The seed step in PyTorch: torch_seed_peer.py THREADS.

Variants: eager (an expert a module, plain Adam), fused (fused Adam), batched (experts in one batched product too),
compiled (forward and backward of that by torch.compile too).
"""
from __future__ import annotations

import sys

import torch
import torch.nn.functional as F
from torch import nn

from protocol import EXPERTS, WIDTH, Work, epoch, initial_weights, serve
from torch_layers import linear, use_threads

use_threads(int(sys.argv[1]))


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

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).mean(1)
        hidden = F.relu(torch.addmm(self.hidden_bias, x, self.hidden))
        answers = torch.baddbmm(self.output_bias, hidden.view(-1, EXPERTS, WIDTH).transpose(0, 1), self.output)
        gate = torch.softmax(self.gate(x), -1)
        return self.head(torch.einsum("be,ebd->bd", gate, answers))


def make(words: list[str]) -> Work:
    vocabulary, batch, variant = int(words[1]), int(words[2]), words[3]
    if variant not in ("eager", "fused", "batched", "compiled"):
        raise ValueError(f"there is no variant {variant}")
    start = {name: torch.from_numpy(value) for name, value in initial_weights(vocabulary).items()}
    model = (Batched if variant in ("batched", "compiled") else Tutorial)(start)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, **({} if variant == "eager" else {"fused": True}))

    def loss_of(ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(ids), targets)

    forward = torch.compile(loss_of, dynamic=False) if variant == "compiled" else loss_of
    ids, targets = (torch.from_numpy(x).long() for x in epoch(vocabulary, batch))
    batches = list(zip(ids.split(batch), targets.split(batch)))
    at = 0

    def work(count: int) -> tuple[int, float]:
        nonlocal at
        for _ in range(count):
            adam.zero_grad(set_to_none=True)
            loss = forward(*batches[at])
            loss.backward()
            adam.step()
            at = (at + 1) % len(batches)
        return count, float(loss.detach())

    work(10)
    return work


serve(f"PyTorch {torch.__version__}", make, torch.compiler.reset)
