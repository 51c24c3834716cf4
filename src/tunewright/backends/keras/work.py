"""How much a training step computes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod

from tunewright.backends.keras.model import Classifier, layers
from tunewright.backends.keras.optimizer import Weight


def gflop_per_token(made: Classifier, blocks: int, *, kept: bool, learn: Sequence[Weight]) -> float:
    """Matrix products of the blocks for one token of a training step; see `torch.work`.

    A layer that is used again counts again. Convolutions are left out, as they have no tokens.

    Args:
        blocks: top blocks that learn.
        kept: whether the blocks below are left out of the step.
        learn: what learns.
    """
    dense = made.fw.keras.layers.Dense, made.fw.keras.layers.EinsumDense
    lowest = made.num_blocks - min(blocks, made.num_blocks)
    index_of = {
        id(layer): index for index, block in enumerate(made.spine.blocks) for layer in block
    }
    uses = [
        (index_of[id(node.operation)], layer.kernel)
        for node in chain.from_iterable(made.model._nodes_by_depth.values())
        if id(node.operation) in index_of
        for layer in layers(node.operation)
        if isinstance(layer, dense)
    ]
    uses += [(made.num_blocks - 1 - each.above, each.variable) for each in made.adapters]
    learning = {id(weight.variable) for weight in learn}
    total = 0
    for index, kernel in uses:
        if index >= lowest or not kept:
            passes = 1 + (index >= lowest) + (id(kernel) in learning)
            total += 2 * passes * prod(kernel.shape)
    return total / 1e9
