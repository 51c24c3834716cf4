"""A model cut between two blocks: the blocks below the cut can be left out of a call.

The model itself stays whole. While blocks are left out, they pass their state through, and the
last of them answers with given activations instead. Masks, positions and rotary tables are made
by the model's own code and reach the upper blocks unchanged. A block that makes something else
for the blocks above, as T5's first one makes the position bias of all, is not left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tunewright.backends.torch.watch import tensors, with_state

Batch = dict[str, torch.Tensor]
Place = int | str | None  # of an argument: its number, its name, or nowhere


@dataclass(frozen=True)
class _Answer:
    """What a frozen block answers beside its state.

    Args:
        others: the arguments that it hands on, None when it answers with a tensor.
        needed: whether it makes something for the blocks above.
    """

    others: tuple[Place, ...] | None
    needed: bool

    def pass_through(self, *args: Any, **kwargs: Any) -> Any:
        """Stands for the block's `forward`."""
        state = next(tensors((args, kwargs)))
        if self.others is None:
            return state
        given = _by_place(args, kwargs)
        return (state, *[given.get(place) for place in self.others])


def scores_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    """(rows, labels) of the whole model, before softmax."""
    scores: torch.Tensor = model(**batch).logits
    return scores


class _ReachedError(Exception):
    """The cut was reached: what lies above need not be computed."""


class Cut:
    """A place between two blocks.

    Args:
        model: the whole model.
        blocks: its blocks, bottom to top, each called once.
        below: how many of them lie below the cut, at least 1.
    """

    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module], below: int) -> None:
        self.model = model
        self.blocks = blocks
        self.below = below
        self._answers: list[_Answer] = []

    def activations(self, batch: Batch) -> torch.Tensor:
        """(rows, …): the state that leaves the block below the cut. No gradient."""
        caught: list[torch.Tensor] = []

        def catch(_: nn.Module, __: tuple[Any, ...], answer: Any) -> None:
            caught.append(next(tensors(answer)))
            raise _ReachedError

        hook = self.blocks[self.below - 1].register_forward_hook(catch)
        try:
            with torch.no_grad():
                self.model(**batch)
        except _ReachedError:
            pass
        finally:
            hook.remove()
        return caught[0]

    def prove(self, batch: Batch) -> float:
        """How far cut and top are from the whole model, in the scores and in the last state.

        The larger `difference` of the two. Padding is wiped from the activations, as it is when
        they are kept. Call it once before `without_blocks`, with the model in evaluation mode.
        """
        with torch.no_grad():
            whole = self.learn_answers(batch)
            hidden = _without_padding(self.activations(batch), batch)
            with self.without_blocks() as give:
                give(hidden)
                top = self._scores_and_state(batch)
        return max(map(difference, whole, top))

    def _scores_and_state(self, batch: Batch) -> list[torch.Tensor]:
        caught: list[torch.Tensor] = []
        hook = self.blocks[-1].register_forward_hook(
            lambda _, __, answer: caught.append(next(tensors(answer)))
        )
        try:
            scores = scores_of(self.model, batch)
        finally:
            hook.remove()
        return [scores, _without_padding(caught[0], batch)]

    def learn_answers(self, batch: Batch) -> list[torch.Tensor]:
        """Scores and last state of the whole model; on the way, what the blocks answer.

        It must be called once before `without_blocks`, and is by `prove`.
        """
        given: list[dict[Place, Any]] = []
        answers: list[Any] = []

        def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given.append(_by_place(args, kwargs))

        def leave(_: nn.Module, __: tuple[Any, ...], answer: Any) -> None:
            answers.append(answer)

        hooks = [b.register_forward_pre_hook(enter, with_kwargs=True) for b in self.blocks]
        hooks += [b.register_forward_hook(leave) for b in self.blocks[: self.below]]
        try:
            whole = self._scores_and_state(batch)
        finally:
            for hook in hooks:
                hook.remove()
        self._answers = [
            _learned(answer, given[at], given[at + 1 :]) for at, answer in enumerate(answers)
        ]
        return whole

    @property
    def left_out(self) -> list[nn.Module]:
        """The blocks that `without_blocks` does not compute."""
        found = zip(self.blocks, self._answers, strict=False)  # answers end at the cut
        return [block for block, answer in found if not answer.needed]

    @contextmanager
    def without_blocks(self) -> Iterator[Callable[[torch.Tensor], None]]:
        """Within, the model computes only what lies above the cut.

        Yields:
            a function that takes the activations for the next call of the model.
        """
        waiting: list[torch.Tensor] = []
        frozen = self.blocks[: self.below]
        hook = frozen[-1].register_forward_hook(
            lambda _, __, answer: with_state(answer, waiting.pop())
        )
        for block, answer in zip(frozen, self._answers, strict=True):
            if not answer.needed:
                block.forward = answer.pass_through  # an attribute of this one block
        try:
            yield waiting.append
            if waiting:
                raise RuntimeError("the block below the cut was not called")
        finally:
            hook.remove()
            for block in frozen:
                vars(block).pop("forward", None)


def _by_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[Place, Any]:
    return dict([*enumerate(args), *kwargs.items()])


def _learned(answer: Any, given: dict[Place, Any], above: Sequence[dict[Place, Any]]) -> _Answer:
    """What a block's answer is made of, where everything is compared as an object."""
    if isinstance(answer, torch.Tensor):
        return _Answer(None, needed=False)
    if not isinstance(answer, tuple):
        raise TypeError(f"a block answers with {type(answer).__name__}, not a tensor or a tuple")
    used = {id(value) for arguments in above for value in arguments.values()}
    own = {id(value): place for place, value in given.items() if value is not None}
    others = answer[1:]
    needed = any(p is not None and id(p) in used and id(p) not in own for p in others)
    return _Answer(tuple(own.get(id(part)) for part in others), needed)


def _without_padding(state: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The state with zeros at padding, where it has one vector for each token of the batch."""
    mask = batch.get("attention_mask")
    if mask is None or state.ndim != 3 or mask.shape != state.shape[:2]:
        return state
    return torch.where(mask.bool()[..., None], state, torch.zeros_like(state))


def difference(whole: torch.Tensor, top: torch.Tensor) -> float:
    """The largest difference over the largest number; infinite where there is no telling."""
    if torch.equal(whole, top):
        return 0.0
    if whole.shape != top.shape:
        return float("inf")
    share = (whole.double() - top.double()).abs().max() / whole.double().abs().max()
    return float(share) if torch.isfinite(share) else float("inf")
