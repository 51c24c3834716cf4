"""Finds the embedding group, the blocks and the head of a Transformers model.

Not by a list of names: the blocks are the longest list of like modules; what is called after
the last of them is the head; everything else comes before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from tunewright.errors import ModelError


@dataclass(frozen=True)
class Layout:
    """A model cut into parts. The names are those of `named_parameters`.

    `each_once` says whether one forward call enters every block exactly once; ALBERT, which
    repeats its blocks, does not, and cannot be cut between two of them. `late` names the modules
    that are first called once the last block is through.
    """

    blocks: tuple[nn.Module, ...]
    embeddings: tuple[str, ...]
    in_block: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]
    each_once: bool = True
    late: frozenset[str] = frozenset()

    @property
    def num_blocks(self) -> int:
        """Repeated layers between embeddings and head."""
        return len(self.blocks)

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
    """The parts of a model, found by looking at it and calling it once.

    Args:
        example: arguments of one forward call.
    Raises:
        ModelError: there is no list of like modules.
    """
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and _alike(m)]
    calls = {id(m): _calls(model, m, example) for m in lists}
    lists = [m for m in lists if list(dict.fromkeys(calls[id(m)])) == list(range(len(m)))]
    if not lists:
        raise ModelError(
            f"no repeated blocks were found in {type(model).__name__}",
            fix="use a Transformers encoder or decoder",
        )
    chosen = max(lists, key=lambda m: (len(m), _size(m)))
    blocks, each_once = tuple(chosen), len(calls[id(chosen)]) == len(chosen)
    after = _called_after(model, blocks[-1], example)
    owner = {id(p): index for index, block in enumerate(blocks) for p in block.parameters()}
    embeddings: list[str] = []
    head: list[str] = []
    in_block: list[list[str]] = [[] for _ in blocks]
    for name, parameter in model.named_parameters():
        if id(parameter) in owner:
            in_block[owner[id(parameter)]].append(name)
        elif name.rpartition(".")[0] in after:
            head.append(name)
        else:
            embeddings.append(name)
    return Layout(
        blocks,
        tuple(embeddings),
        tuple(map(tuple, in_block)),
        tuple(head),
        each_once,
        frozenset(after),
    )


def _alike(modules: nn.ModuleList) -> bool:
    return (
        len(modules) > 0 and len({type(module) for module in modules}) == 1 and _size(modules) > 0
    )


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _calls(
    model: nn.Module, modules: nn.ModuleList, example: Mapping[str, torch.Tensor]
) -> list[int]:
    """Which module of the list is called, in order of the calls."""
    calls: list[int] = []
    hooks = [
        module.register_forward_pre_hook(lambda *_, index=index: calls.append(index))
        for index, module in enumerate(modules)
    ]
    _call(model, example, hooks)
    return calls


def _called_after(
    model: nn.Module, last: nn.Module, example: Mapping[str, torch.Tensor]
) -> set[str]:
    """Names of the modules that are first called once the last block is through."""
    after: dict[str, bool] = {}
    done = [False]
    hooks = [last.register_forward_hook(lambda *_: done.__setitem__(0, True))]

    def note(name: str) -> None:
        after.setdefault(name, done[0])

    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: note(name)))
    _call(model, example, hooks)
    return {name for name, late in after.items() if late}


def _call(
    model: nn.Module,
    example: Mapping[str, torch.Tensor],
    hooks: list[torch.utils.hooks.RemovableHandle],
) -> None:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(**example)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
