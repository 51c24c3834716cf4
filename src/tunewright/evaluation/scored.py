"""Rows with what was answered and what is right: the ground that every metric stands on.

N rows, K outputs, R samples of those rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import DataError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


class Scored(ABC):
    """Answers beside targets."""

    @abstractmethod
    def __len__(self) -> int:
        """N."""

    def num_counted(self, name: str) -> int:
        """Rows that count for a metric."""
        return len(self)

    @abstractmethod
    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """These metrics, (names, R).

        Args:
            sample: int (R, n), row numbers of each sample; None for all rows, once.
        """


def often(sample: Ints | None, rows: int) -> Floats:
    """float64 (R, N): how often each row is in each sample."""
    if sample is None:
        return np.ones((1, rows))
    at = sample + rows * np.arange(len(sample))[:, None]
    found: Floats = np.bincount(at.ravel(), minlength=len(sample) * rows).astype(np.float64)
    return found.reshape(len(sample), rows)


def refuse_unlike(answers: Floats, targets: NDArray[Any], fits: bool) -> None:
    """Raise DataError unless there is a finite answer (N, K) for each of N targets, N > 0.

    Args:
        fits: whether the targets have the shape that they should have.
    """
    if answers.ndim != 2 or len(targets) != len(answers) or not fits:
        raise DataError(
            f"answers {answers.shape} and labels {targets.shape} do not fit",
            fix="pass answers (rows, outputs), and the label of each row",
        )
    if not len(targets):
        raise DataError("there are no rows to score", fix="evaluate on at least one row")
    if not np.isfinite(answers).all():
        raise DataError(
            "an answer is not a finite number", fix="lower the learning rate, or use fp32"
        )
