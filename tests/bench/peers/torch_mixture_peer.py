"""The mixture layer with its two best experts a token in PyTorch, forward and backward:
torch_mixture_peer.py THREADS [cpu|cuda].

Variants: loop (a loop over the experts, as Mixtral's code had until transformers 4), grouped (tokens sorted by expert and
torch's grouped_mm, as in transformers 5), grouped-bfloat16 (the same with the experts' weights, products and gradients in
bfloat16, the gate and the sum in float32). All start from the same numbers: their losses agree.
"""
from __future__ import annotations

import sys
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from protocol import Work, serve
from torch_layers import device_named, finish, linear, use_threads, versions_on

use_threads(int(sys.argv[1]))
DEVICE = device_named(sys.argv[2] if len(sys.argv) > 2 else "cpu")

CHOSEN = 2
GROUPED_MM = getattr(F, "grouped_mm", None) or getattr(torch, "_grouped_mm", None)


class Bank(nn.Module):
    """Gate and experts, ReLU between two layers with biases, as moelab's layer has them."""

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)

        def kernel(*shape: int) -> torch.Tensor:
            limit = (6 / (shape[-2] + shape[-1])) ** 0.5
            return (torch.rand(shape, generator=generator) * 2 - 1) * limit

        self.gate = nn.Linear(width, experts)
        with torch.no_grad():
            self.gate.weight.copy_(kernel(width, experts).T)
            self.gate.bias.zero_()
        self.start = kernel(experts, width, 4 * width), kernel(experts, 4 * width, width)

    def route(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights, chosen = torch.topk(F.softmax(self.gate(x), dim=-1), CHOSEN, dim=-1)
        return weights / weights.sum(dim=-1, keepdim=True), chosen


class Loop(Bank):
    def __init__(self, width: int, experts: int) -> None:
        super().__init__(width, experts)
        self.experts = nn.ModuleList(nn.Sequential(linear(a), nn.ReLU(), linear(b)) for a, b in zip(*self.start))
        del self.start

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, chosen = self.route(x)
        out = torch.zeros_like(x)
        mask = F.one_hot(chosen, num_classes=len(self.experts)).permute(2, 1, 0)
        for e, expert in enumerate(self.experts):
            place, token = torch.where(mask[e])
            if token.shape[0] > 0:
                out.index_add_(0, token, expert(x[token]) * weights[token, place, None])
        return out


class Grouped(Bank):
    def __init__(self, width: int, experts: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(width, experts)
        self.hidden, self.output = (nn.Parameter(kernels.to(dtype)) for kernels in self.start)
        self.hidden_bias = nn.Parameter(torch.zeros(experts, 4 * width, dtype=dtype))
        self.output_bias = nn.Parameter(torch.zeros(experts, width, dtype=dtype))
        self.register_buffer("numbers", torch.arange(experts))
        del self.start

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, chosen = self.route(x)
        visits = chosen.reshape(-1)
        order = torch.argsort(visits, stable=True)
        token, expert = order // CHOSEN, visits[order]
        if x.is_cuda:  # bincount() waits for the GPU
            ends = torch.searchsorted(expert, self.numbers, right=True, out_int32=True)
        else:
            ends = torch.cumsum(torch.bincount(visits, minlength=len(self.hidden)), 0).to(torch.int32)
        rows = x.to(self.hidden.dtype)[token]
        hidden = F.relu(GROUPED_MM(rows, self.hidden, offs=ends) + self.hidden_bias[expert])
        answers = GROUPED_MM(hidden, self.output, offs=ends) + self.output_bias[expert]
        return torch.zeros_like(x).index_add_(0, token, answers * weights.reshape(-1)[order, None])


def make(words: list[str]) -> Work:
    width, experts, tokens, variant = int(words[1]), int(words[2]), int(words[3]), words[4]
    if variant != "loop" and GROUPED_MM is None:
        raise RuntimeError("this PyTorch has no grouped_mm")
    layer = {"loop": Loop, "grouped": Grouped,
             "grouped-bfloat16": partial(Grouped, dtype=torch.bfloat16)}[variant](width, experts).to(DEVICE)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(tokens, width, generator=generator).to(DEVICE).requires_grad_()
    gradient = (torch.rand(tokens, width, generator=generator) * 2 - 1).to(DEVICE)

    def work(count: int) -> tuple[int, float]:
        for _ in range(count):
            x.grad = None
            layer.zero_grad(set_to_none=True)
            output = layer(x)
            output.backward(gradient)
        finish(DEVICE)
        return count, float((output.detach() * gradient).sum() / tokens)

    work(2)
    return work


serve(versions_on(DEVICE), make)
