"""Finds the blocks of a model: its repeated modules, in the order in which they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from tunewright.backends.torch.watch import Call

PARALLEL = 4  # another kind of list belongs to the blocks from a fourth of their weights on
MOSTLY = 2  # a list holds stages when their inner lists have half of its weights

Repeats = tuple[nn.Module, ...]


def find_blocks(model: nn.Module, calls: Sequence[Call]) -> Repeats:
    """The blocks, bottom to top; none when the model has no list of like modules.

    A list of stages, most of which hand on a state of another shape, gives way to the lists
    within the stages. Of the lists that remain, the kind with most weights is the model's, and with it
    those of like size: a decoder beside an encoder, but not the convolutions in front of it.
    """
    first = {id(call.module): call for call in reversed(calls)}
    lists = [
        tuple(module)
        for module in model.modules()
        if isinstance(module, nn.ModuleList | nn.Sequential) and _is_repeated(tuple(module), first)
    ]
    stages = _stages(lists, first)
    chosen = [inner for outer in _outermost(lists) for inner in _unfolded(outer, lists, stages)]
    sizes: dict[type, int] = {}
    for blocks in chosen:
        sizes[type(blocks[0])] = sizes.get(type(blocks[0]), 0) + num_weights(blocks)
    largest = max(sizes.values(), default=0)
    chosen = [blocks for blocks in chosen if sizes[type(blocks[0])] * PARALLEL >= largest]
    found = {id(block): block for blocks in chosen for block in blocks}
    return tuple(sorted(found.values(), key=lambda block: first[id(block)].entered))


def num_weights(modules: Iterable[nn.Module]) -> int:
    """Numbers in the parameters of some modules."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def _is_repeated(modules: Repeats, first: Mapping[int, Call]) -> bool:
    """Whether they are of one kind, have weights, and are called one after another."""
    if len({type(module) for module in modules}) != 1 or not num_weights(modules):
        return False
    calls = [first.get(id(module)) for module in modules]
    times = [time for call in calls if call is not None for time in (call.entered, call.left)]
    return None not in calls and times == sorted(times)


def _outermost(lists: Sequence[Repeats]) -> list[Repeats]:
    inside = {id(m) for modules in lists for block in modules for m in list(block.modules())[1:]}
    return [modules for modules in lists if id(modules[0]) not in inside]


def _stages(lists: Sequence[Repeats], first: Mapping[int, Call]) -> set[type]:
    """Kinds of modules that may hold blocks: most change the shape, or there is but one."""
    kinds: dict[type, list[bool]] = {}
    for modules in lists:
        changes = [first[id(module)].changes_shape for module in modules]
        kinds.setdefault(type(modules[0]), []).extend(changes)
    return {kind for kind, some in kinds.items() if sum(some) * 2 > len(some) or len(some) == 1}


def _unfolded(outer: Repeats, lists: Sequence[Repeats], stages: set[type]) -> list[Repeats]:
    """The list itself, or what is within its stages."""
    inside = {id(m) for block in outer for m in list(block.modules())[1:]}
    inner = _outermost([modules for modules in lists if id(modules[0]) in inside])
    weights = sum(map(num_weights, inner))
    if type(outer[0]) not in stages or weights * MOSTLY < num_weights(outer):
        return [outer]
    return [found for modules in inner for found in _unfolded(modules, lists, stages)]
