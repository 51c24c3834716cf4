"""Scores where each row has one of several classes.

N rows, C classes, R samples of those rows, B confidence bins. Every metric is a function of
tallies over a sample, so one score and a thousand resampled ones are the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tunewright.errors import DataError
from tunewright.evaluation.decided import chosen
from tunewright.evaluation.scored import Floats, Ints, Scored, refuse_unlike

NUM_BINS = 15


class OneLabel(Scored):
    """What the metrics need to know about each row.

    Args:
        probabilities: float (N, C), finite, each row sums to one; may be `Decided`.
        labels: int (N,), in 0..C-1.
    Raises:
        DataError: no rows, shapes that do not fit, a label out of range, a non-finite number.
    """

    def __init__(self, probabilities: Floats, labels: Ints) -> None:
        answers = probabilities
        probabilities, labels = np.asarray(probabilities), np.asarray(labels)
        _check(probabilities, labels)
        self.num_classes = probabilities.shape[1]
        self.label = labels.astype(np.int64)
        self.predicted = chosen(answers)
        self.correct = self.predicted == self.label
        own = np.arange(len(labels))
        self.confidence = probabilities[own, self.predicted].astype(np.float64)
        self.bin = confidence_bin(self.confidence)
        smallest = np.finfo(probabilities.dtype).eps if probabilities.dtype.kind == "f" else 1e-16
        of_label = probabilities[own, self.label].astype(np.float64)
        self.loss = -np.log(np.clip(of_label, smallest, 1.0))

    def __len__(self) -> int:
        return len(self.label)

    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """See `Scored`."""
        tallies = Tallies(self, sample)
        return np.stack([METRICS[name](tallies) for name in names])


class Tallies:
    """Counts over samples of rows; each is computed once, when a metric asks for it.

    Args:
        rows: the rows to draw from.
        sample: int (R, n), row numbers of each sample; None for all rows, once.
    """

    def __init__(self, rows: OneLabel, sample: Ints | None = None) -> None:
        self.rows = rows
        self.sample = np.arange(len(rows))[None, :] if sample is None else sample
        self.num_rows = self.sample.shape[1]

    def _per(self, codes: Ints, num_codes: int, weights: Floats | None = None) -> Floats:
        """Sum `weights` (or ones) per code: (N,) codes and weights -> (R, num_codes)."""
        num_samples = len(self.sample)
        flat = codes[self.sample] + num_codes * np.arange(num_samples)[:, None]
        heavy = None if weights is None else weights[self.sample].ravel()
        sums = np.bincount(flat.ravel(), heavy, minlength=num_samples * num_codes)
        return sums.reshape(num_samples, num_codes).astype(np.float64)

    @cached_property
    def labelled(self) -> Floats:
        """(R, C) rows of each class."""
        return self._per(self.rows.label, self.rows.num_classes)

    @cached_property
    def predicted(self) -> Floats:
        """(R, C) rows predicted as each class."""
        return self._per(self.rows.predicted, self.rows.num_classes)

    @cached_property
    def hits(self) -> Floats:
        """(R, C) rows of each class predicted as such."""
        wrong = self.rows.num_classes
        codes = np.where(self.rows.correct, self.rows.label, wrong)
        return self._per(codes, wrong + 1)[:, :wrong]

    @cached_property
    def overconfidence(self) -> Floats:
        """(R, B) per confidence bin: sum of confidence minus sum of correct."""
        surplus = self.rows.confidence - self.rows.correct
        return self._per(self.rows.bin, NUM_BINS, surplus)


def _check(probabilities: Floats, labels: Ints) -> None:
    refuse_unlike(probabilities, labels, labels.ndim == 1)
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise DataError(
            f"labels reach from {labels.min()} to {labels.max()}, "
            f"expected 0 to {probabilities.shape[1] - 1}",
            fix="pass probabilities (rows, classes) and one label number per row",
        )


def confidence_bin(confidence: Floats) -> Ints:
    """Number of the equal-width bin (low, high] of each confidence: (N,) -> (N,)."""
    return np.clip(np.ceil(confidence * NUM_BINS).astype(np.int64) - 1, 0, NUM_BINS - 1)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide; zero where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below > 0)


def _accuracy(tallies: Tallies) -> Floats:
    """Share of rows whose most probable class is right."""
    return np.asarray(tallies.hits.sum(axis=1) / tallies.num_rows)


def _macro_f1(tallies: Tallies) -> Floats:
    """Mean F1 over the classes that are labelled or predicted at least once."""
    seen = tallies.labelled + tallies.predicted
    return np.asarray(_ratio(2 * tallies.hits, seen).sum(axis=1) / (seen > 0).sum(axis=1))


def _mcc(tallies: Tallies) -> Floats:
    """Matthews correlation for C classes; zero when it is undefined.

    Source: Gorodkin 2004, Comparing two K-category assignments by a K-category correlation.
    """
    total, true, predicted = tallies.num_rows, tallies.labelled, tallies.predicted
    together = tallies.hits.sum(axis=1) * total - (true * predicted).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    return _ratio(together, np.sqrt(spread))


def _log_loss(tallies: Tallies) -> Floats:
    """Mean of -ln p(label), in nats; p is cut at its type's epsilon, as scikit-learn does."""
    return np.asarray(tallies.rows.loss[tallies.sample].mean(axis=1))


def _calibration_error(tallies: Tallies) -> Floats:
    """Expected calibration error over 15 equal-width bins of confidence.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, eq. 3.
    """
    return np.asarray(np.abs(tallies.overconfidence).sum(axis=1) / tallies.num_rows)


METRICS: dict[str, Callable[[Tallies], Floats]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "mcc": _mcc,
    "log_loss": _log_loss,
    "calibration_error": _calibration_error,
}


def confusion(probabilities: Floats, labels: Ints) -> Ints:
    """Rows by true class (down) and predicted class (across): int (C, C)."""
    rows = OneLabel(probabilities, labels)
    cells = np.bincount(
        rows.label * rows.num_classes + rows.predicted, minlength=rows.num_classes**2
    )
    return cells.reshape(rows.num_classes, rows.num_classes)


def per_class(
    probabilities: Floats, labels: Ints, names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Precision, recall, F1 and rows of each class, in class order; 0.0 where undefined.

    Args:
        names: C class names; the class numbers when None.
    """
    tallies = Tallies(OneLabel(probabilities, labels))
    hits, true, predicted = tallies.hits[0], tallies.labelled[0], tallies.predicted[0]
    precision, recall = _ratio(hits, predicted), _ratio(hits, true)
    f1 = _ratio(2 * hits, true + predicted)
    return [
        {
            "label": names[k] if names is not None else str(k),
            "precision": float(precision[k]),
            "recall": float(recall[k]),
            "f1": float(f1[k]),
            "count": int(true[k]),
        }
        for k in range(len(true))
    ]


def calibration(probabilities: Floats, labels: Ints) -> list[dict[str, float | int]]:
    """The 15 confidence bins that hold rows: bounds, mean confidence, accuracy, count."""
    rows = OneLabel(probabilities, labels)
    count = np.bincount(rows.bin, minlength=NUM_BINS)
    confidence = np.bincount(rows.bin, rows.confidence, minlength=NUM_BINS)
    correct = np.bincount(rows.bin, rows.correct, minlength=NUM_BINS)
    return [
        {
            "low": b / NUM_BINS,
            "high": (b + 1) / NUM_BINS,
            "confidence": float(confidence[b] / count[b]),
            "accuracy": float(correct[b] / count[b]),
            "count": int(count[b]),
        }
        for b in np.flatnonzero(count).tolist()
    ]
