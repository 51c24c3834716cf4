"""What the head reads of a row when every block is frozen: often a single vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import nn

from tunewright.backends.torch.cut import Batch, Cut, difference, scores_of

Pooling = Literal["first", "last", "mean"]


class Pooled:
    """The model with all blocks left out, on one vector in the place of each row's tokens.

    Args:
        model: the whole model, in evaluation mode while `prove` runs.
        blocks: all its blocks, bottom to top.
    """

    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module]) -> None:
        self.cut = Cut(model, blocks, len(blocks))
        self._any_row: Callable[[int], Batch] | None = None
        self.pooling: Pooling | None = None

    def prove(self, batch: Batch, bound: float) -> bool:
        """Find the vector whose scores equal the whole model's within `bound`, if there is one.

        Args:
            batch: rows of different lengths, padded on the right.
        """
        if set(batch) - {"input_ids", "attention_mask", "token_type_ids", "pixel_values"}:
            return False
        with torch.no_grad():
            whole = self.cut.learn_answers(batch)[0]
            hidden = self.cut.activations(batch)
            alike = torch.equal(whole, whole[:1].expand_as(whole))  # a head of zeros proves nothing
            mask = _mask(batch, hidden)
            if alike or hidden.ndim != 3 or hidden.shape[:2] != mask.shape:
                return False
            self._any_row = _any_row(batch, mask)
            for pooling in get_args(Pooling):
                self.pooling = pooling
                if difference(whole, self.scores(self._pick(hidden, mask))) <= bound:
                    return True
        self.pooling = None
        return False

    def vectors(self, batch: Batch) -> torch.Tensor:
        """(rows, width): what the head reads. No gradient."""
        with torch.no_grad():
            hidden = self.cut.activations(batch)
            return self._pick(hidden, _mask(batch, hidden))

    def scores(self, vectors: torch.Tensor) -> torch.Tensor:
        """(rows, labels), from (rows, width)."""
        if self._any_row is None:
            raise RuntimeError("scores before prove")
        with self.cut.without_blocks() as give:
            give(vectors.unsqueeze(1))
            return scores_of(self.cut.model, self._any_row(len(vectors)))

    def _pick(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.pooling == "first":
            return hidden[:, 0]
        if self.pooling == "last":
            return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)


def _mask(batch: Batch, hidden: torch.Tensor) -> torch.Tensor:
    """int64 (rows, tokens): which vectors of the last state are a row's own; a picture's all are."""
    if "attention_mask" in batch:
        return batch["attention_mask"]
    return torch.ones(hidden.shape[:2], dtype=torch.int64, device=hidden.device)


def _any_row(batch: Batch, mask: torch.Tensor) -> Callable[[int], Batch]:
    """Arguments for so many rows of one token; what lies below the blocks' answer is left out."""
    if "pixel_values" in batch:
        blank = torch.zeros_like(batch["pixel_values"][:1])
        return lambda rows: {"pixel_values": blank}
    last = int(mask[0].sum()) - 1  # some heads read at the end token alone
    token = batch["input_ids"][:1, last : last + 1].clone()

    def texts(rows: int) -> Batch:
        ids = token.expand(rows, 1)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    return texts
