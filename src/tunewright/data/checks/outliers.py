"""Rows that lie far from all others, by what a pre-trained model makes of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.data.duplicates import Keys

NEIGHBOURS = 5
MOST_OTHERS = 10_000  # of more different rows, so many are drawn to be neighbours
ROWS_AT_ONCE = 1_000
FAR = 3.0  # times the usual spread above the median
NORMAL = 1.4826  # of a normal distribution: standard deviations in a median deviation


def distances(features: NDArray[np.floating], keys: Keys, seed: int) -> NDArray[np.float64]:
    """(rows): the mean distance to the nearest others, between directions: from 0 to 2.

    Args:
        features: (rows, width).
        keys: of each row; rows with the same one are the same, and no neighbours.
        seed: of the draw, where there are many rows.
    """
    centre = features.mean(axis=0)
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(first))[:MOST_OTHERS]
    others = _directions(features[first[drawn]] - centre)
    place = np.full(len(first), -1)
    place[drawn] = np.arange(len(drawn))
    nearest = min(NEIGHBOURS, len(drawn) - 1)
    found = np.zeros(len(features))
    for start in range(0, len(features) if nearest > 0 else 0, ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        alike = _directions(features[some] - centre) @ others.T
        itself = place[same[some]]
        known = np.flatnonzero(itself >= 0)
        alike[known, itself[known]] = -np.inf
        top = np.partition(alike, -nearest, axis=1)[:, -nearest:]
        found[some] = 1.0 - top.mean(axis=1)
    return found


def _directions(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def far_out(distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows that are farther than the usual spread around the median explains, the farthest first.

    The spread is that of the rows above the median: distances have no lower tail.
    """
    if not len(distance):
        return np.zeros(0, np.int64)
    median = np.median(distance)
    above = distance[distance > median]
    spread = NORMAL * np.median(above - median) if len(above) else 0.0
    far = np.flatnonzero(distance > median + FAR * spread)
    return far[np.argsort(-distance[far], kind="stable")]
