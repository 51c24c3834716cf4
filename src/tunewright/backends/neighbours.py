"""The nearest neighbours of a row: what the rows most like it are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

COUNTS = (1, 3, 5, 10, 20, 50)
MOST_ROWS_FOR_CHOICE = 1000
FOLDS = 3
CHUNK_ROWS = 512
TINY = 1e-12


def fit(
    features: np.ndarray, targets: np.ndarray, num_labels: int, *, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """What the rows nearest by cosine are, in the mean; how many are asked is chosen on a third.

    Args:
        features: float (rows, width), standardised before they are compared.
        targets: int64 (rows); or float (rows, labels), 0 or 1; or float (rows), numbers.
    Returns:
        features (asked, width) → float64 (asked, labels), shares above zero: one neighbour more
        than there are is as the rows are in all; or (asked, 1), numbers.
    """
    centre, spread = features.mean(0), features.std(0) + 1e-6

    def direction(rows: np.ndarray) -> np.ndarray:
        scaled = (rows - centre) / spread
        found: np.ndarray = scaled / (np.linalg.norm(scaled, axis=1, keepdims=True) + TINY)
        return found

    known, told = direction(features), _told(targets, num_labels)
    prior = _prior(targets, told)
    drawn = np.random.default_rng(seed).permutation(len(known))[:MOST_ROWS_FOR_CHOICE]
    left_out, others = drawn[: len(drawn) // FOLDS], drawn[len(drawn) // FOLDS :]
    nearest = _nearest(known[others], known[left_out], COUNTS[-1])

    def error(count: int) -> float:
        said = _mean(told[others], nearest[:, :count], prior)
        return float(((said - told[left_out]) ** 2).mean())

    count = min(COUNTS, key=error) if len(left_out) else COUNTS[0]
    return lambda asked: _mean(told, _nearest(known, direction(asked), count), prior)


def _told(targets: np.ndarray, num_labels: int) -> np.ndarray:
    """float64 (rows, labels), or (rows, 1) of numbers."""
    if targets.ndim == 2 or targets.dtype.kind == "f":
        return targets.reshape(len(targets), -1).astype(np.float64)
    found: np.ndarray = np.eye(num_labels)[targets]
    return found


def _prior(targets: np.ndarray, told: np.ndarray) -> np.ndarray | None:
    """Of each label, its share, as if one more row had it; None of numbers."""
    if targets.ndim == 2:
        share: np.ndarray = (told.sum(axis=0) + 1) / (len(told) + 2)
        return share
    return None if targets.dtype.kind == "f" else (told.sum(axis=0) + 1) / sum(told.shape)


def _nearest(known: np.ndarray, asked: np.ndarray, count: int) -> np.ndarray:
    """int64 (asked, at most count): row numbers, the nearest first."""
    count = min(count, len(known))
    found = np.zeros((len(asked), count), dtype=np.int64)
    for start in range(0, len(asked), CHUNK_ROWS):
        alike = asked[start : start + CHUNK_ROWS] @ known.T
        some = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(alike, some, 1), axis=1, kind="stable")
        found[start : start + CHUNK_ROWS] = np.take_along_axis(some, order, 1)
    return found


def _mean(told: np.ndarray, nearest: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
    votes: np.ndarray = told[nearest].sum(axis=1)
    count = nearest.shape[1]
    mean: np.ndarray = votes / count if prior is None else (votes + prior) / (count + 1)
    return mean
