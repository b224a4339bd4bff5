"""What the PyTorch peers share."""
from __future__ import annotations

import sys

import torch
from torch import nn


def use_threads(threads: int) -> None:
    torch.set_flush_denormal(True)  # TensorFlow and XLA do by themselves; threads made later take it over
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)


def device_named(name: str) -> torch.device:
    if name != "cpu" and not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} sees no GPU")
    return torch.device(name)


def versions_on(device: torch.device) -> str:
    place = f" on {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    return f"PyTorch {torch.__version__}{place}"


def finish(device: torch.device) -> None:
    """Waits for what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def linear(kernel: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(*kernel.shape, device=kernel.device)
    with torch.no_grad():
        layer.weight.copy_(kernel.T)
        layer.bias.zero_()
    return layer
