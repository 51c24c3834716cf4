"""The frozen prefix: what the frozen blocks answer for a row is computed once and kept.

The model itself stays whole. While the cache is in use its first `cut` blocks pass their
input through, and the block above them receives the kept activations instead. Masks, positions
and rotary tables are made by the model's own code and reach the upper blocks unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

Batch = dict[str, torch.Tensor]
MIB = 1 << 20


def _pass_through(answers: int | None) -> Callable[..., Any]:
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


class Prefix:
    """Activations at a cut, for all rows of some parts.

    Args:
        model: the whole model, in evaluation mode while the cache is built.
        blocks: its blocks, bottom to top.
        cut: how many of them are frozen, at least 1 and fewer than all.
    """

    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module], cut: int) -> None:
        self.model = model
        self.blocks = blocks
        self.cut = cut
        self._answers: list[int | None] = []
        self._kept: dict[str, tuple[torch.Tensor, np.ndarray]] = {}

    @property
    def mib(self) -> float:
        """Memory of the kept activations."""
        return sum(flat.numel() * flat.element_size() for flat, _ in self._kept.values()) / MIB

    def at_cut(self, batch: Batch) -> torch.Tensor:
        """(rows, time, width): what enters the block above the cut. No gradient."""
        caught: list[torch.Tensor] = []

        def catch(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _ReachedError

        hook = self.blocks[self.cut].register_forward_pre_hook(catch, with_kwargs=True)
        try:
            with torch.no_grad():
                self.model(**batch)
        except _ReachedError:
            pass
        finally:
            hook.remove()
        return caught[0]

    def build(
        self, part: str, lengths: np.ndarray, batches: Iterator[tuple[np.ndarray, Batch]]
    ) -> None:
        """Compute and keep the activations of a part, packed without padding."""
        starts = np.concatenate([[0], np.cumsum(lengths)])
        flat: torch.Tensor | None = None
        for rows, batch in batches:
            hidden = self.at_cut(batch)
            if flat is None:
                flat = torch.empty(int(starts[-1]), hidden.shape[-1], dtype=hidden.dtype)
            for index, row in enumerate(rows):
                flat[starts[row] : starts[row + 1]] = hidden[index, : lengths[row]]
        if flat is not None:
            self._kept[part] = (flat, starts)

    def read(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, longest row, width), zeros as padding."""
        flat, starts = self._kept[part]
        kept = [flat[starts[row] : starts[row + 1]] for row in rows]
        return nn.utils.rnn.pad_sequence(kept, batch_first=True)

    def has(self, part: str) -> bool:
        """Whether this part's activations are kept."""
        return part in self._kept

    def learn_shapes(self, batch: Batch) -> None:
        """See whether the frozen blocks answer with a tensor or a tuple, and how long it is."""
        self._answers = []
        hooks = [
            block.register_forward_hook(
                lambda _, __, out: self._answers.append(
                    len(out) if isinstance(out, tuple) else None
                )
            )
            for block in self.blocks[: self.cut]
        ]
        try:
            with torch.no_grad():
                self.model(**batch)
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def in_place_of_blocks(self) -> Iterator[Callable[[torch.Tensor], None]]:
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

        hook = self.blocks[self.cut].register_forward_pre_hook(inject, with_kwargs=True)
        frozen = self.blocks[: self.cut]
        for block, answers in zip(frozen, self._answers, strict=True):
            block.forward = _pass_through(answers)  # an attribute of this one block
        try:
            yield waiting.append
        finally:
            hook.remove()
            for block in frozen:
                vars(block).pop("forward", None)


def largest_difference(whole: torch.Tensor, cut_and_top: torch.Tensor) -> float:
    """Largest absolute difference of two answers, in the answers' own unit."""
    return float((whole.float() - cut_and_top.float()).abs().max())
