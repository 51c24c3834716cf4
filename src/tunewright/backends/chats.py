"""Rows of a language model: tokens with what is learned of each, kept flat."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tunewright.backends.flat_rows import FlatRows
from tunewright.backends.row_counts import RowCounts, count
from tunewright.backends.too_long import Cut

IGNORE = -100
"""The label of a token that is not learned, as Transformers and PyTorch have it."""


@dataclass(frozen=True, eq=False)
class ChatTokens(FlatRows):
    """The rows of one part. Implements `Inputs`.

    Args:
        ids: int32 (all tokens).
        learned: bool (all tokens); never a row's first.
        starts: int64 (rows + 1), where each row begins.
        padding: the token that stands past a row's end.
        counts: what became of the rows.
    """

    ids: np.ndarray
    learned: np.ndarray
    starts: np.ndarray
    padding: int
    counts: RowCounts

    @cached_property
    def _learned_before(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.learned, dtype=np.int64)])

    @property
    def row_learned(self) -> np.ndarray:
        """int64 (rows): learned tokens of each row."""
        return np.diff(self._learned_before[self.starts])

    def num_learned(self, rows: np.ndarray) -> int:
        """Tokens that these rows teach: by so many a summed loss is divided."""
        before = self._learned_before
        return int((before[self.starts[rows + 1]] - before[self.starts[rows]]).sum())

    def sha256(self) -> str:
        """See `Inputs`."""
        found = hashlib.sha256(str(self.padding).encode())
        for array in (self.ids, self.starts, self.learned):
            found.update(repr((array.dtype, array.shape)).encode())
            found.update(array.tobytes())
        return found.hexdigest()

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Padded int64 arrays (rows, longest row) of ids, mask and labels.

        A label is the token at the same place, not the next one; IGNORE where none is learned.
        """
        inside, at = self.padded(rows)
        ids = np.full(inside.shape, self.padding, dtype=np.int64)
        labels = np.full(inside.shape, IGNORE, dtype=np.int64)
        ids[inside] = self.ids[at]
        labels[inside] = np.where(self.learned[at], self.ids[at], IGNORE)
        return {"input_ids": ids, "attention_mask": inside.astype(np.int64), "labels": labels}


def joined(kept: Cut, padding: int) -> ChatTokens:
    """Rows as one array, without what was cut off."""
    starts = np.zeros(len(kept.rows) + 1, dtype=np.int64)
    np.cumsum([row.kept for row in kept.rows], out=starts[1:])
    return ChatTokens(
        ids=_flat([row.ids[: row.kept] for row in kept.rows], np.dtype(np.int32)),
        learned=_flat([row.learned[: row.kept] for row in kept.rows], np.dtype(bool)),
        starts=starts,
        padding=padding,
        counts=count(kept),
    )


def _flat(arrays: list[np.ndarray], kind: np.dtype[Any]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.zeros(0, kind)
