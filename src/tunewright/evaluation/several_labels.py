"""Scores where each row has any number of labels.

N rows, L labels, R samples of those rows. A label counts as answered from a probability
of 0.5 on, or from thresholds of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.decided import limits_of
from tunewright.evaluation.scored import Floats, Ints, Scored, often, refuse_unlike

THRESHOLD = 0.5


class SeveralLabels(Scored):
    """What the metrics need to know about each row.

    Args:
        probabilities: float (N, L), each between 0 and 1; may be `Decided`.
        labels: (N, L) of zeros and ones.
    Raises:
        DataError: no rows, shapes that do not fit, a non-finite number.
    """

    def __init__(self, probabilities: Floats, labels: NDArray[Any]) -> None:
        limits = limits_of(probabilities)
        probabilities, labels = np.asarray(probabilities), np.asarray(labels)
        refuse_unlike(probabilities, labels, labels.shape == probabilities.shape)
        self.probabilities = probabilities
        self.label = labels > 0
        self.predicted = probabilities >= (THRESHOLD if limits is None else limits)
        smallest = np.finfo(probabilities.dtype).eps
        of_label = np.where(self.label, probabilities, 1 - probabilities).astype(np.float64)
        self.loss = -np.log(np.clip(of_label, smallest, 1.0))

    def __len__(self) -> int:
        return len(self.label)

    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """See `Scored`."""
        counts = often(sample, len(self))
        return np.stack([METRICS[name](self, counts) for name in names])

    def tallies(self, counts: Floats) -> tuple[Floats, Floats, Floats]:
        """(R, L) each: labels answered and right, answered, and there."""
        right, answered = self.predicted & self.label, self.predicted
        return counts @ right, counts @ answered, counts @ self.label


def _f1(right: Floats, answered: Floats, there: Floats) -> Floats:
    """Zero where nothing was answered and nothing is there."""
    below = answered + there
    return np.divide(2 * right, below, out=np.zeros_like(below), where=below > 0)


def _micro_f1(rows: SeveralLabels, counts: Floats) -> Floats:
    """F1 over all labels of all rows."""
    return _f1(*(each.sum(axis=1) for each in rows.tallies(counts)))


def _macro_f1(rows: SeveralLabels, counts: Floats) -> Floats:
    """Mean F1 over the labels that are there or answered at least once."""
    right, answered, there = rows.tallies(counts)
    seen = np.maximum(1, (answered + there > 0).sum(axis=1))
    return np.asarray(_f1(right, answered, there).sum(axis=1) / seen)


def _exact_match(rows: SeveralLabels, counts: Floats) -> Floats:
    """Share of rows whose labels are all answered, and no other."""
    return np.asarray(counts @ (rows.predicted == rows.label).all(axis=1) / counts.sum(axis=1))


def _log_loss(rows: SeveralLabels, counts: Floats) -> Floats:
    """Mean of the binary log loss over rows and labels, in nats."""
    return np.asarray(counts @ rows.loss.mean(axis=1) / counts.sum(axis=1))


METRICS: dict[str, Callable[[SeveralLabels, Floats], Floats]] = {
    "micro_f1": _micro_f1,
    "macro_f1": _macro_f1,
    "exact_match": _exact_match,
    "log_loss": _log_loss,
}


def per_label(
    probabilities: Floats, labels: NDArray[Any], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Precision, recall, F1 and rows of each label; 0.0 where undefined."""
    rows = SeveralLabels(probabilities, labels)
    right, answered, there = (each[0] for each in rows.tallies(np.ones((1, len(rows)))))
    f1 = _f1(right, answered, there)
    return [
        {
            "label": name,
            "precision": float(right[k] / answered[k]) if answered[k] else 0.0,
            "recall": float(right[k] / there[k]) if there[k] else 0.0,
            "f1": float(f1[k]),
            "count": int(there[k]),
        }
        for k, name in enumerate(names)
    ]
