"""How much a training step computes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from transformers.pytorch_utils import Conv1D

from tunewright.backends.torch.blocks import Layout


def gflop_per_token(
    layout: Layout, blocks: int, *, kept: bool, of_one_token: Sequence[nn.Module] = ()
) -> float:
    """Matrix products of the blocks for one token of a training step.

    Twice a matrix's size for the way up, once more for the way down to where learning ends, and
    once more for a matrix that learns. Attention scores and the head are left out.

    Args:
        blocks: top blocks that learn.
        kept: whether the blocks below are left out of the step.
        of_one_token: modules that are given but one token of each row: they do not count.
    """
    left_out = {id(part) for module in of_one_token for part in module.modules()}
    total = 0
    lowest = layout.num_blocks - min(blocks, layout.num_blocks)
    for index, block in enumerate(layout.blocks):
        if index < lowest and kept:
            continue
        for module in block.modules():
            if isinstance(module, nn.Linear | Conv1D) and id(module) not in left_out:
                passes = 1 + (index >= lowest) + module.weight.requires_grad
                total += 2 * passes * module.weight.numel()
    return total / 1e9
