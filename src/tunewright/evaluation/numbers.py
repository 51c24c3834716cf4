"""Scores where each row has a number.

N rows, R samples of those rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.scored import Floats, Ints, Scored, often, refuse_unlike


class Numbers(Scored):
    """What the metrics need to know about each row.

    Args:
        answers: float (N, 1).
        targets: float (N).
    Raises:
        DataError: no rows, shapes that do not fit, a non-finite number.
    """

    def __init__(self, answers: Floats, targets: NDArray[Any]) -> None:
        answers, targets = np.asarray(answers), np.asarray(targets)
        refuse_unlike(answers, targets, targets.ndim == 1 and answers.shape[1:] == (1,))
        self.answer = answers[:, 0].astype(np.float64)
        self.target = targets.astype(np.float64)
        self.error = self.answer - self.target

    def __len__(self) -> int:
        return len(self.target)

    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """See `Scored`."""
        counts = often(sample, len(self))
        shares = counts / counts.sum(axis=1, keepdims=True)
        return np.stack([METRICS[name](self, shares) for name in names])


def _rmse(rows: Numbers, shares: Floats) -> Floats:
    """Root of the mean squared error."""
    return np.asarray(np.sqrt(shares @ rows.error**2))


def _mae(rows: Numbers, shares: Floats) -> Floats:
    """Mean absolute error."""
    return np.asarray(shares @ np.abs(rows.error))


def _r2(rows: Numbers, shares: Floats) -> Floats:
    """Share of the variance that the answers explain; 0 where the targets have none."""
    centred = rows.target - rows.target.mean()
    variance = shares @ centred**2 - (shares @ centred) ** 2
    unexplained = _over(shares @ rows.error**2, variance)
    return np.where(variance > 0, 1 - unexplained, 0.0)


def _pearson(rows: Numbers, shares: Floats) -> Floats:
    """Linear correlation; 0 where either side does not vary."""
    return _correlation(rows.answer, rows.target, shares)


def _spearman(rows: Numbers, shares: Floats) -> Floats:
    """Correlation of the ranks, which each row has among all rows."""
    from scipy.stats import rankdata

    return _correlation(rankdata(rows.answer), rankdata(rows.target), shares)


def _correlation(one: Floats, two: Floats, shares: Floats) -> Floats:
    one, two = one - one.mean(), two - two.mean()
    first, second = shares @ one, shares @ two
    spread = (shares @ one**2 - first**2).clip(0) * (shares @ two**2 - second**2).clip(0)
    return _over(shares @ (one * two) - first * second, np.sqrt(spread))


def _over(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


METRICS: dict[str, Callable[[Numbers, Floats], Floats]] = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "pearson": _pearson,
    "spearman": _spearman,
}
