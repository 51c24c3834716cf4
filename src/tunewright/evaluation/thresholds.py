"""From which share on a label is answered, for the best of a metric on some rows.

N rows, K outputs, R resamples of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.decided import decided, limits_of
from tunewright.evaluation.metrics import kind_of, score, scored
from tunewright.evaluation.one_label import OneLabel
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.several_labels import SeveralLabels

FEWEST_ROWS = 50  # below, a threshold is as likely to hurt
FEWEST_OF_LABEL = 10  # rows with a label, and without, for a threshold of its own
RESAMPLES = 100
HALF = 20
STEPS = 1 / (1 + np.exp(-np.linspace(-5.0, 5.0, 2 * HALF + 1)))
"""Thresholds that are tried, evenly spaced in log-odds."""


def fitted(metric: str, shares: Floats, labels: NDArray[Any], *, seed: int) -> Floats:
    """float (K,): thresholds for the best of a metric on these rows, one half where none is better.

    The best one is looked for on resamples of the rows, and the median of these is taken: the best
    of the rows themselves would follow single rows. Each label has its own for macro-F1, if it has
    rows enough; else all have one, which for micro-F1 is what true shares ask for.

    Args:
        shares: float (N, K) of two classes, or of several labels. labels: see `metrics`.
    Source:
        Lipton, Elkan and Naryanaswamy 2014, Optimal thresholding of classifiers to maximize F1.
    """
    half = np.full(shares.shape[1], 0.5)
    if len(shares) < FEWEST_ROWS:
        return half
    sample = np.random.default_rng(seed).integers(0, len(shares), (RESAMPLES, len(shares)))
    if kind_of(labels) == "one":
        limit = _best(metric, lambda at: np.array([1 - at, at]), shares, labels, sample)
        found = np.array([1 - limit, limit])
    elif metric == "macro_f1":
        found = np.array(
            [_of_label(shares[:, [k]], labels[:, [k]], sample) for k in range(len(half))]
        )
    else:
        found = half * 2 * _best(metric, lambda at: half * 2 * at, shares, labels, sample)
    better = score(metric, decided(shares, found), labels) > score(metric, shares, labels)
    return found if better else half


def _of_label(shares: Floats, labels: NDArray[Any], sample: NDArray[np.int64]) -> float:
    """For the best F1 of one label: shares and labels (N, 1)."""
    there = int((labels > 0).sum())
    if min(there, len(labels) - there) < FEWEST_OF_LABEL:
        return 0.5
    return _best("micro_f1", lambda at: np.array([at]), shares, labels, sample)


def _best(
    metric: str,
    limits: Callable[[float], Floats],
    shares: Floats,
    labels: NDArray[Any],
    sample: NDArray[np.int64],
) -> float:
    """The median over samples (R, N) of the best threshold; of equal ones the nearest to one half."""
    values = np.stack(
        [
            scored(decided(shares, limits(float(at))), labels).measure([metric], sample)[0]
            for at in STEPS
        ]
    )
    nearest = np.argsort(np.abs(np.arange(len(STEPS)) - HALF), kind="stable")
    best = nearest[values[nearest].argmax(axis=0)]
    return float(STEPS[round(float(np.median(best)))])


def change(
    metric: str, answers: Floats, labels: NDArray[Any], names: Sequence[str]
) -> dict[str, Any] | None:
    """What thresholds do on some rows; None where there are none.

    Returns:
        {"metric", "thresholds": label → threshold, "at_half" and "at_thresholds": the metric,
        "rows_changed": how many rows are answered otherwise}.
    """
    limits = limits_of(answers)
    if limits is None:
        return None
    shares = np.asarray(answers)
    of: Any = OneLabel if kind_of(labels) == "one" else SeveralLabels
    differs = of(answers, labels).predicted != of(shares, labels).predicted
    return {
        "metric": metric,
        "thresholds": by_label(limits, names),
        "at_half": score(metric, shares, labels),
        "at_thresholds": score(metric, answers, labels),
        "rows_changed": int(differs.reshape(len(differs), -1).any(axis=1).sum()),
    }


def by_label(limits: Floats, names: Sequence[str]) -> dict[str, float]:
    """Label → threshold."""
    return dict(zip(names, np.asarray(limits).tolist(), strict=True))
