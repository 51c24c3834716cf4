"""The rows of a part as a model takes them, whatever they are read from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tunewright.train.passes import passed


class Inputs(Protocol):
    """Rows, ready for a model."""

    @property
    def lengths(self) -> np.ndarray:
        """int64 (rows): tokens of each row, or how many a picture counts for."""

    @property
    def are_ragged(self) -> bool:
        """Whether rows are as long as they are, rather than all of one shape."""

    def __len__(self) -> int:
        """Rows."""

    def sha256(self) -> str:
        """Of all that a model is given, by which a changed row or reader shows."""

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Arguments for these row numbers, under the names of Transformers."""


class Reader(Protocol):
    """Turns rows into inputs, as a model folder wants them."""

    @property
    def longest_input(self) -> int | None:
        """Tokens that the model can read of a row; None where no row is ever cut."""

    def read(
        self, texts: Sequence[str], pairs: Sequence[str] | None, longest: int | None
    ) -> Inputs:
        """The inputs of rows, each cut at `longest` tokens.

        Args:
            texts: of each row; or the paths of pictures.
        """

    def whole_lengths(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        """int64 (rows): tokens of each row as it is, before any is cut."""

    def save(self, folder: Path) -> None:
        """Write what reads the rows beside a model."""


def sorted_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Row numbers, the longest rows first, in batches of at most `budget` tokens with padding."""
    yield from passed(all_batches(lengths, budget), lengths)


def all_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """See `sorted_batches`; all of them in a rehearsal too."""
    order = np.argsort(-lengths, kind="stable")
    batches: list[np.ndarray] = []
    first = 0
    while first < len(order):
        size = max(1, budget // max(1, int(lengths[order[first]])))
        batches.append(order[first : first + size])
        first += size
    return batches
