"""Dropout whose every draw is a function of (step, place), and that costs little.

On a processor `torch.dropout` draws one number after another, and selecting by a mask of booleans
is slower still; here four numbers are cut from each 64-bit draw, and the mask is of zeros and ones
to multiply with. An accelerator's own dropout is fast, and the step seeds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LEVELS = 1 << 16


class Draws:
    """The random numbers of the current step, shared by all places of dropout in a model."""

    def __init__(self) -> None:
        self._bits = np.random.SFC64(0)

    def start_step(self, draw: int) -> None:
        """Every later number depends on `draw` and on how many were taken since."""
        self._bits = np.random.SFC64(draw)

    def twice(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Within the second, the numbers that were taken within the first are taken again."""
        begun: list[Any] = []

        @contextmanager
        def first() -> Iterator[None]:
            begun.append(self._bits.state)
            yield

        @contextmanager
        def again() -> Iterator[None]:
            now, self._bits.state = self._bits.state, begun[0]
            try:
                yield
            finally:
                self._bits.state = now

        return first(), again()

    def mask(self, like: torch.Tensor, keep: int) -> torch.Tensor:
        """Zeros and, with probability keep / 65536, ones; in the shape and type of `like`."""
        count = like.numel()
        numbers = self._bits.random_raw((count + 3) // 4).view(np.int16)[:count]
        drawn = torch.from_numpy(numbers).view(like.shape)
        return torch.lt(drawn, keep - LEVELS // 2, out=torch.empty(like.shape, dtype=like.dtype))


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return torch.mul(values, mask).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (mask,) = ctx.saved_tensors
        return torch.mul(gradients[0], mask).mul_(ctx.scale), None, None


class SeededDropout(nn.Module):
    """Drop-in for `nn.Dropout`.

    The share is rounded to 1/65536, and the scale is that of the rounded share, so the
    expectation is exact.
    """

    def __init__(self, share: float, draws: Draws) -> None:
        super().__init__()
        self.p = share
        self.draws = draws

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The same shape; unchanged outside of training."""
        keep = LEVELS - round(self.p * LEVELS)
        if not self.training or keep == LEVELS:
            return values
        if values.device.type != "cpu":
            return functional.dropout(values, self.p)
        mask = self.draws.mask(values, keep)
        dropped: torch.Tensor = _Drop.apply(values, mask, LEVELS / keep)
        return dropped


def seed_dropout(model: nn.Module, draws: Draws, share: float | None) -> int:
    """Put `SeededDropout` in the place of every dropout module; how many drop something.

    Args:
        share: of the values to drop, wherever the model drops some; None keeps each place's
            own share.
    """
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Dropout) or type(child).__name__ == "StableDropout"
    ]
    for parent, name, child in places:
        own = float(getattr(child, "p", getattr(child, "drop_prob", 0.0)))
        setattr(parent, name, SeededDropout(share if share is not None and own > 0 else own, draws))
    return sum(isinstance(m, SeededDropout) and m.p > 0 for m in model.modules())
