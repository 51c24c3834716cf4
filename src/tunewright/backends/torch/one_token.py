"""Where the head reads one token of a row, the others are left out of the last block's sums.

A pooler on the first token, or a decoder's score at the last, needs of the other tokens only what
attention takes from them: keys and values. Which modules may be given that one token is found by
trying, on rows of this run: the module answers "not a number" for all other tokens, and if the
scores stay what they were, nothing above reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.cut import Batch, difference, scores_of
from tunewright.backends.torch.places import find_place
from tunewright.backends.torch.watch import tensors

OWN = "one_token"  # of a handed on answer: the answer itself, for the next module
Reads = Literal["first", "last"]


class OneToken:
    """Gives some modules of a model one token of each row, and hands its answer on for all.

    Args:
        model: called with `attention_mask` (rows, time), padded on the right.
        reads: which token of a row.
    """

    def __init__(self, model: nn.Module, reads: Reads) -> None:
        self.reads = reads
        self.modules: list[nn.Module] = []
        self._shape = torch.Size()
        self._at = torch.empty(0)
        self._poison = False
        self._hooks = [model.register_forward_pre_hook(self._start, with_kwargs=True)]

    def narrow(self, module: nn.Module) -> None:
        """From now on; its arguments and its answer are (rows, time, …)."""
        self.modules.append(module)
        self._hooks.append(module.register_forward_pre_hook(self._take, with_kwargs=True))
        self._hooks.append(module.register_forward_hook(self._hand_on))

    def widen_last(self) -> None:
        """Undo the latest `narrow`."""
        self.modules.pop()
        for _ in range(2):
            self._hooks.pop().remove()

    def remove(self) -> None:
        """Leave the model as it was."""
        for hook in self._hooks:
            hook.remove()

    @contextmanager
    def poisoned(self) -> Iterator[None]:
        """Within, the other tokens' answers are not numbers."""
        self._poison = True
        try:
            yield
        finally:
            self._poison = False

    def _start(self, _: nn.Module, __: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        mask = kwargs["attention_mask"]
        self._shape = mask.shape
        self._at = torch.arange(0, mask.numel(), mask.shape[1], device=mask.device)
        if self.reads == "last":
            self._at += mask.sum(1) - 1

    def _take(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return tree_map_only(torch.Tensor, self._picked, (args, kwargs))

    def _picked(self, state: torch.Tensor) -> torch.Tensor:
        own: torch.Tensor | None = vars(state).get(OWN)
        return (
            own if own is not None else state.flatten(0, 1).index_select(0, self._at).unsqueeze(1)
        )

    def _hand_on(self, _: nn.Module, __: tuple[Any, ...], answer: torch.Tensor) -> torch.Tensor:
        shape = (*self._shape, *answer.shape[2:])
        if not self._poison:
            wide = answer.expand(shape).contiguous()
            vars(wide)[OWN] = answer
            return wide
        nothing = answer.new_full((self._shape.numel(), *answer.shape[2:]), float("nan"))
        return nothing.index_copy(0, self._at, answer[:, 0]).view(shape)


def leave_out_other_tokens(
    model: nn.Module, layout: Layout, batch: Batch, bound: float
) -> OneToken | None:
    """Narrow what may be narrowed in and above the last block; None where nothing may be.

    Args:
        model: in evaluation mode.
        batch: rows on which the narrowed model must give the scores of the plain one, within
            `bound`; of different lengths.
    """
    if not layout.blocks or "attention_mask" not in batch or batch["attention_mask"].shape[1] < 2:
        return None
    place, _ = find_place(model, layout, 1, batch, bound)
    kept = place.keep(batch) if place is not None else None

    def scores() -> torch.Tensor:
        if place is None or kept is None:
            return scores_of(model, batch)
        return place.scores(kept, lambda: batch)

    above = [name for name in sorted(layout.late) if name.rpartition(".")[0] not in layout.late]
    top = [*layout.blocks[-1].children(), *map(model.get_submodule, above)]
    able = _takes_and_gives_states(top, batch["attention_mask"].shape, scores)
    plain = scores()
    for reads in get_args(Reads):
        one = OneToken(model, reads)
        harmless = partial(_unchanged, one, scores, plain, bound)
        for module in top:
            _narrow_within(module, one, able, harmless)
        if one.modules:
            return one
        one.remove()
    return None


def _narrow_within(
    module: nn.Module, one: OneToken, able: set[int], harmless: Callable[[], bool]
) -> None:
    """Narrow the module, or else what can be of its parts."""
    if id(module) in able:
        one.narrow(module)
        if harmless():
            return
        one.widen_last()
    for part in module.children():
        _narrow_within(part, one, able, harmless)


def _unchanged(
    one: OneToken, scores: Callable[[], torch.Tensor], plain: torch.Tensor, bound: float
) -> bool:
    try:
        with one.poisoned():
            poisoned = scores()
        return max(difference(plain, poisoned), difference(plain, scores())) <= bound
    except Exception:  # noqa: BLE001 - whatever foreign modules make of it
        return False


def _takes_and_gives_states(
    top: Sequence[nn.Module], shape: torch.Size, scores: Callable[[], torch.Tensor]
) -> set[int]:
    """id of each module that is called once, and takes and gives nothing but (rows, time, …)."""
    called: set[int] = set()
    others: set[int] = set()

    def look(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], answer: object
    ) -> None:
        given = list(tensors((args, kwargs)))
        states = [t.ndim > 2 and t.shape[:2] == shape for t in (*given, *tensors(answer))]
        again = id(module) in called
        if again or not given or not isinstance(answer, torch.Tensor) or not all(states):
            others.add(id(module))
        called.add(id(module))

    found = {id(module): module for root in top for module in root.modules()}
    hooks = [m.register_forward_hook(look, with_kwargs=True) for m in found.values()]
    try:
        scores()
    finally:
        for hook in hooks:
            hook.remove()
    return called - others
