"""A model cut between two blocks: the blocks below the cut can be left out of a call.

The model itself stays whole. While blocks are left out, they pass their input through and the
block above them receives given activations instead. Masks, positions and rotary tables are made
by the model's own code and reach the upper blocks unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

Batch = dict[str, torch.Tensor]


def pass_through(answers: int | None) -> Callable[..., Any]:
    """Stands for a frozen block's `forward`: its input, in the shape of the block's answer.

    Args:
        answers: length of the tuple that the block gives, None when it gives a tensor.
    """

    def forward(*args: Any, **kwargs: Any) -> Any:
        hidden = args[0] if args else kwargs["hidden_states"]
        return hidden if answers is None else (hidden, *[None] * (answers - 1))

    return forward


class _ReachedError(Exception):
    """The block above the cut was reached: what lies above need not be computed."""


class Cut:
    """A place between two blocks.

    Args:
        model: the whole model.
        blocks: its blocks, bottom to top.
        below: how many of them lie below the cut, at least 1 and fewer than all.
    """

    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module], below: int) -> None:
        self.model = model
        self.blocks = blocks
        self.below = below
        self._answers: list[int | None] = []

    def activations(self, batch: Batch) -> torch.Tensor:
        """(rows, time, width): what enters the block above the cut. No gradient."""
        caught: list[torch.Tensor] = []

        def catch(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _ReachedError

        hook = self.blocks[self.below].register_forward_pre_hook(catch, with_kwargs=True)
        try:
            with torch.no_grad():
                self.model(**batch)
        except _ReachedError:
            pass
        finally:
            hook.remove()
        return caught[0]

    def prove(self, batch: Batch) -> float:
        """Largest difference between the scores of the whole model and those of cut and top.

        Call it once before `without_blocks`, with the model in evaluation mode.
        """
        with torch.no_grad():
            whole = self._learn_shapes(batch)
            hidden = self.activations(batch)
            with self.without_blocks() as give:
                give(hidden)
                top = self.model(**batch).logits
        return float((whole.float() - top.float()).abs().max())

    def _learn_shapes(self, batch: Batch) -> torch.Tensor:
        """The scores; and whether the blocks answer with a tensor or a tuple, and how long."""
        self._answers = []
        hooks = [
            block.register_forward_hook(
                lambda _, __, out: self._answers.append(
                    len(out) if isinstance(out, tuple) else None
                )
            )
            for block in self.blocks[: self.below]
        ]
        try:
            return self.model(**batch).logits  # type: ignore[no-any-return]
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def without_blocks(self) -> Iterator[Callable[[torch.Tensor], None]]:
        """Within, the model computes only what lies above the cut.

        Yields:
            a function that takes the activations for the next call of the model.
        """
        waiting: list[torch.Tensor] = []

        def inject(
            _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            hidden = waiting.pop()
            if args:
                return (hidden, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": hidden}

        hook = self.blocks[self.below].register_forward_pre_hook(inject, with_kwargs=True)
        frozen = self.blocks[: self.below]
        for block, answers in zip(frozen, self._answers, strict=True):
            block.forward = pass_through(answers)  # an attribute of this one block
        try:
            yield waiting.append
        finally:
            hook.remove()
            for block in frozen:
                vars(block).pop("forward", None)
