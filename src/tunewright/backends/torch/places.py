"""Where a model is cut: what is kept of a batch, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import nn

from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.cut import Batch, Cut, scores_of
from tunewright.backends.torch.pooled import Pooled


class Place(Protocol):
    """A way to cut a model. `one_vector`: whether it keeps one of a row, not one of a token."""

    one_vector: bool

    def keep(self, batch: Batch) -> torch.Tensor:
        """(rows, time or 1, width). No gradient."""

    def scores(self, kept: torch.Tensor, batch: Callable[[], Batch]) -> torch.Tensor:
        """(rows, labels), before softmax."""

    @property
    def left_out(self) -> list[nn.Module]:
        """The blocks that `scores` does not compute."""


class BetweenBlocks:
    """All tokens' vectors, as they leave the block below the cut."""

    one_vector = False

    def __init__(self, cut: Cut) -> None:
        self.cut = cut

    def keep(self, batch: Batch) -> torch.Tensor:
        """See `Place`."""
        return self.cut.activations(batch)

    def scores(self, kept: torch.Tensor, batch: Callable[[], Batch]) -> torch.Tensor:
        """See `Place`."""
        with self.cut.without_blocks() as give:
            give(kept)
            return scores_of(self.cut.model, batch())

    @property
    def left_out(self) -> list[nn.Module]:
        """See `Place`."""
        return self.cut.left_out


class AboveBlocks:
    """The one vector of a row that the head reads."""

    one_vector = True

    def __init__(self, pooled: Pooled) -> None:
        self.pooled = pooled

    def keep(self, batch: Batch) -> torch.Tensor:
        """See `Place`."""
        return self.pooled.vectors(batch).unsqueeze(1)

    def scores(self, kept: torch.Tensor, batch: Callable[[], Batch]) -> torch.Tensor:
        """See `Place`."""
        return self.pooled.scores(kept.squeeze(1))

    @property
    def left_out(self) -> list[nn.Module]:
        """See `Place`."""
        return self.pooled.cut.left_out


def find_place(
    model: nn.Module, layout: Layout, blocks: int, batch: Batch, bound: float
) -> tuple[Place | None, str]:
    """Where to cut a model of which the head and the top `blocks` blocks learn; and why.

    Args:
        model: in evaluation mode.
        batch: rows on which the cut model must give the whole model's scores, within `bound`.
    """
    if blocks >= layout.num_blocks:
        return None, "nothing is frozen"
    if layout.uncut:
        return None, layout.uncut
    wanted = layout.num_blocks - max(1, blocks)
    below = layout.highest_cut(wanted)
    try:
        if blocks == 0 and layout.num_blocks in layout.cuts:
            pooled = Pooled(model, layout.blocks)
            if pooled.prove(batch, bound):
                return AboveBlocks(pooled), (
                    f"all blocks are frozen; the head reads each row's {pooled.pooling} vector"
                )
        if wanted == 0:
            return None, "nothing below the head's block is frozen"
        if below == 0:
            return None, "what lies above the frozen blocks sees more than their last state"
        cut = Cut(model, layout.blocks, below)
        difference = cut.prove(batch)
    except Exception as error:  # noqa: BLE001 - whatever foreign blocks make of it
        return None, f"the model cannot be cut: {type(error).__name__}: {error}"
    if difference > bound:
        return None, f"cut and top differ from the whole model by {difference:.2g}"
    said = f"{below} frozen blocks computed once; cut and top equal the whole within {bound:g}"
    if below < wanted:
        said += "; what lies higher sees more than one state (a decoder, its encoder's)"
    return BetweenBlocks(cut), said


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """To be kept; NumPy has no bfloat16, its bits are kept as integers."""
    plain = tensor.detach().cpu()
    bits = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    array: np.ndarray = bits.numpy()
    return array


def as_tensor(kept: np.ndarray) -> torch.Tensor:
    """The inverse of `as_array`."""
    tensor = torch.from_numpy(kept)
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.int16 else tensor


def facts_of(tensors: Iterable[torch.Tensor]) -> Iterator[tuple[str, np.ndarray]]:
    """Kind, shape and bytes of each, of which a key is made."""
    for tensor in tensors:
        plain = tensor.detach().cpu().contiguous()
        bits = plain.reshape(-1).view(torch.uint8).numpy()
        yield f"{plain.dtype}{tuple(plain.shape)}", bits
