"""How much a training step computes, and how fast this machine can compute at best."""

from __future__ import annotations

import time

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from tunewright.backends.torch.blocks import Layout

MEASURE_S = 0.15
ROWS = 1024


def product_rate(width: int, kind: torch.dtype, device: torch.device) -> float:
    """GFLOP/s of the matrix products of a block `width` wide, measured."""
    left = torch.ones(ROWS, width, dtype=kind, device=device)
    right = torch.ones(4 * width, width, dtype=kind, device=device)
    nn.functional.linear(left, right)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < MEASURE_S:
        nn.functional.linear(left, right)
        count += 1
        if device.type != "cpu":
            getattr(torch, device.type).synchronize()
    seconds = time.perf_counter() - started
    return count * 2 * ROWS * right.numel() / seconds / 1e9


def gflop_per_token(layout: Layout, blocks: int, *, kept: bool) -> float:
    """Matrix products of the blocks for one token of a training step.

    Twice a matrix's size for the way up, once more for the way down to where learning ends, and
    once more for a matrix that learns. Attention scores and the head are left out.

    Args:
        blocks: top blocks that learn.
        kept: whether the blocks below are left out of the step.
    """
    total = 0
    lowest = layout.num_blocks - min(blocks, layout.num_blocks)
    for index, block in enumerate(layout.blocks):
        if index < lowest and kept:
            continue
        for module in block.modules():
            if isinstance(module, nn.Linear | Conv1D):
                passes = 1 + (index >= lowest) + module.weight.requires_grad
                total += 2 * passes * module.weight.numel()
    return total / 1e9
