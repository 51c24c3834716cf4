"""Scores where a model says which of two answers is preferred.

N pairs, R samples of those pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.scored import Floats, Ints, Scored, often, refuse_unlike


class Preferences(Scored):
    """What the metrics need to know about each pair.

    Args:
        answers: float (N, 3): rewards of the preferred and of the other answer, and the loss.
        targets: bool (N, 2).
    Raises:
        DataError: no rows, shapes that do not fit, a non-finite number.
    """

    def __init__(self, answers: Floats, targets: NDArray[Any]) -> None:
        answers, targets = np.asarray(answers), np.asarray(targets)
        fits = targets.shape[1:] == (2,) and answers.shape[1:] == (3,)
        refuse_unlike(answers, targets, fits)
        preferred, other, self.loss = answers.astype(np.float64).T
        self.margin = preferred - other

    def __len__(self) -> int:
        return len(self.loss)

    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """See `Scored`."""
        counts = often(sample, len(self))
        return np.stack([counts @ METRICS[name](self) / counts.sum(axis=1) for name in names])


METRICS: dict[str, Callable[[Preferences], Floats]] = {
    "loss": lambda rows: rows.loss,
    "preference_accuracy": lambda rows: (1.0 + np.sign(rows.margin)) / 2,  # a tie is half right
    "reward_margin": lambda rows: rows.margin,
}
