"""Rows of tokens kept flat: one array for all, and where each row begins."""

from __future__ import annotations

from functools import cached_property

import numpy as np


class FlatRows:
    """What rows of tokens have in common, whatever is kept of each token.

    starts: int64 (rows + 1).
    """

    starts: np.ndarray

    are_ragged = True

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 (rows): tokens per row."""
        return np.diff(self.starts)

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How these rows lie in a rectangle.

        Returns:
            (bool (rows, longest row), where it holds a token; int64 (tokens), which of all tokens
            these are, row by row).
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        columns = np.arange(int(lengths.max()))
        inside = columns[None, :] < lengths[:, None]
        return inside, (starts[:, None] + columns[None, :])[inside]
