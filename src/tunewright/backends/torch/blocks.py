"""Finds the embedding group, the blocks and the head of a Transformers model.

Not by a list of names: the blocks are the repeated modules that hold most weights; what is first
called after the last of them is the head; what is called between two of them belongs to the
lower one; everything else comes before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from tunewright.backends.torch.flow import possible_cuts
from tunewright.backends.torch.repeats import find_blocks
from tunewright.backends.torch.watch import Call, watch


@dataclass(frozen=True)
class Layout:
    """A model cut into parts. The names are those of `named_parameters`.

    A model without repeated blocks counts as one block, of which `blocks` has no module. `cuts`
    has the numbers of blocks that may lie below a cut; `uncut` says why there is none. `late`
    names the modules that are first called once the last block is through.
    """

    blocks: tuple[nn.Module, ...]
    embeddings: tuple[str, ...]
    in_block: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]
    cuts: tuple[int, ...] = ()
    uncut: str = ""
    late: frozenset[str] = frozenset()

    @property
    def num_blocks(self) -> int:
        """Repeated layers between embeddings and head."""
        return len(self.in_block)

    def highest_cut(self, most: int) -> int:
        """Number of blocks below the highest possible cut with at most so many; 0 for none."""
        return max((below for below in self.cuts if below <= most), default=0)

    def trainable(self, top: int) -> list[tuple[str, int]]:
        """(name, blocks above it) of what learns when the top `top` blocks do.

        The head has −1 above it, the topmost block 0. With all blocks, the embeddings
        learn too.
        """
        chosen = [(name, -1) for name in self.head]
        for above in range(min(top, self.num_blocks)):
            chosen += [(name, above) for name in self.in_block[self.num_blocks - 1 - above]]
        if top >= self.num_blocks:
            chosen += [(name, self.num_blocks) for name in self.embeddings]
        return chosen


def find_layout(model: nn.Module, example: Mapping[str, torch.Tensor]) -> Layout:
    """The parts of a model, found by looking at it and calling it twice.

    Args:
        example: arguments of one forward call.
    """
    calls = watch(model, example)
    blocks = find_blocks(model, calls)
    if not blocks:
        return _one_block(model, calls)
    heights = _heights(model, blocks, calls)
    groups: list[list[str]] = [[] for _ in range(len(blocks) + 2)]
    for name, height in _of_parameters(model, heights).items():
        groups[height].append(name)
    members = {id(block) for block in blocks}
    once = sum(id(call.module) in members for call in calls) == len(blocks)
    top = len(blocks) + 1
    return Layout(
        blocks,
        embeddings=tuple(groups[0]),
        in_block=tuple(map(tuple, groups[1:-1])),
        head=tuple(groups[-1]),
        cuts=possible_cuts(model, blocks, example) if once else (),
        uncut="" if once else "the model calls its blocks more than once",
        late=frozenset(n for n, m in model.named_modules() if heights.get(id(m)) == top),
    )


def _heights(
    model: nn.Module, blocks: Sequence[nn.Module], calls: Sequence[Call]
) -> dict[int, int]:
    """id of each module to where it stands: 0 below the blocks, 1 the lowest block, and so on.

    A module that is never called itself stands where the one around it does.
    """
    first = {id(call.module): call for call in reversed(calls)}
    ends = [first[id(block)].left for block in blocks]
    inside = {id(m): at for at, block in enumerate(blocks, start=1) for m in block.modules()}
    last = len(blocks) + 1
    heights: dict[int, int] = {}
    for name, module in model.named_modules():
        if id(module) in inside:
            heights[id(module)] = inside[id(module)]
        elif id(module) in first:
            through = sum(end < first[id(module)].entered for end in ends)
            heights[id(module)] = last if through == len(blocks) else through
        else:
            parent = model.get_submodule(name.rpartition(".")[0])
            heights[id(module)] = heights.get(id(parent), 0)
    return heights


def _of_parameters(model: nn.Module, heights: Mapping[int, int]) -> dict[str, int]:
    """Name of each parameter to the lowest place that holds it."""
    lowest: dict[int, int] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            height = heights[id(module)]
            lowest[id(parameter)] = min(height, lowest.get(id(parameter), height))
    return {name: lowest[id(parameter)] for name, parameter in model.named_parameters()}


def _one_block(model: nn.Module, calls: Sequence[Call]) -> Layout:
    """The head is the module with weights that is called last; all else counts as one block."""
    weighted = [c.module for c in calls if any(True for _ in c.module.parameters(recurse=False))]
    names = {id(module): name for name, module in model.named_modules()}
    last = weighted[-1] if weighted else model
    own = {id(parameter) for parameter in last.parameters()}
    head = tuple(name for name, p in model.named_parameters() if id(p) in own)
    rest = tuple(name for name, p in model.named_parameters() if id(p) not in own)
    return Layout(
        (),
        embeddings=(),
        in_block=(rest,),
        head=head,
        uncut=f"no repeated blocks were found in {type(model).__name__}",
        late=frozenset([names[id(last)]]),
    )
