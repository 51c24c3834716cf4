"""What of the rows a model is not given, as they are longer than it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunewright.backends.inputs import Reader
from tunewright.data.rows import Rows

ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Truncation:
    """Rows that are cut.

    Args:
        rows: their numbers, those that lose most first; `lost`: tokens of each that are cut off.
        tokens: of all rows, those cut off included.
        longest: tokens of the longest row as it is.
    """

    rows: np.ndarray
    lost: np.ndarray
    tokens: int
    longest: int

    @property
    def share(self) -> float:
        """Of all tokens, how many are lost."""
        return float(self.lost.sum()) / max(1, self.tokens)


def truncation(reader: Reader, rows: Rows, lengths: np.ndarray, limit: int | None) -> Truncation:
    """Only rows that are given as many tokens as there may be are counted whole.

    Args:
        lengths: int (rows), tokens of each as the model is given it.
        limit: tokens at which they are cut; None where none is.
    """
    full = np.flatnonzero(lengths >= limit) if limit is not None else np.zeros(0, np.int64)
    whole = np.zeros(len(full), np.int64)
    for start in range(0, len(full), ROWS_AT_ONCE):
        some = rows.take(full[start : start + ROWS_AT_ONCE])
        whole[start : start + len(some)] = reader.whole_lengths(some.texts, some.pairs)
    lost = np.maximum(whole - (limit or 0), 0)
    order = np.argsort(-lost, kind="stable")[: int((lost > 0).sum())]
    return Truncation(
        rows=full[order],
        lost=lost[order],
        tokens=int(lengths.sum() + lost.sum()),
        longest=int(max(lengths.max(initial=0), whole.max(initial=0))),
    )
