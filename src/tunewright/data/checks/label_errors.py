"""Labels that a model which never saw their rows does not believe: confident learning.

After Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels"
(2021). N rows, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Doubts:
    """What is thought of the labels.

    Args:
        rows: those that look wrongly labelled, the surest first.
        suggested: int64 (N), the class that each row looks like: its own where that is believed.
        trust: float (N), the share of each row's label.
    """

    rows: Ints
    suggested: Ints
    trust: Floats


def doubts(shares: Floats, labels: Ints, judged: NDArray[np.bool_]) -> Doubts:
    """Which labels look wrong, where shares are of models that never saw the row.

    A row counts to a class when its share of it is at least what the rows of that class have of
    their own in the mean; where that is so of several, to the likeliest. One that counts to
    another class than its own looks wrong, unless its own is the likeliest.

    Args:
        shares: (N, C). labels: (N). judged: (N), the rows whose label can be judged.
    """
    above = shares >= _thresholds(shares, labels)
    alone, likeliest = above.argmax(axis=1), shares.argmax(axis=1)
    reached = above.sum(axis=1)
    counted = np.where(reached > 1, likeliest, np.where(reached == 1, alone, labels))
    suggested = np.where(judged & (likeliest != labels), counted, labels)
    trust = shares[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(suggested != labels)
    return Doubts(wrong[np.argsort(trust[wrong], kind="stable")], suggested, trust)


def _thresholds(shares: Floats, labels: Ints) -> Floats:
    """(C): the mean share of their own class among its rows; no row reaches a class without any."""
    num_classes = shares.shape[1]
    counts = np.bincount(labels, minlength=num_classes)
    own = shares[np.arange(len(labels)), labels]
    sums = np.bincount(labels, weights=own, minlength=num_classes)
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    return means
