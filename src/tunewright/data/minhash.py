"""Candidates for sets that are alike: those that share a band of MinHash values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BANDS, ROWS = 16, 4
"""A pair of Jaccard similarity 0.75 shares one of 16 bands of 4 values with 99.8 %."""
VALUES = BANDS * ROWS
LIKELY = 0.59
"""Share of the values that a candidate has in common: three deviations below 0.75."""
NEIGHBOURS = 4
"""With how many of a band a set is compared: so the time grows with the sets, not their pairs."""
CHUNK_PAIRS = 100_000
_MIX = np.uint64(0x9E3779B97F4A7C15)
Values = NDArray[np.uint32]
Pairs = NDArray[np.int64]


def values_of(sets: Sequence[list[str]]) -> Values:
    """The MinHash values of each set of words (sets, VALUES)."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_token_sets(sets, VALUES, 1)
    return np.asarray(matrix.to_rows(), dtype=np.uint32).reshape(len(sets), VALUES)


def candidates(values: Values) -> Pairs:
    """Pairs of sets that are probably alike, each once, the lower number first (pairs, 2).

    In a band that more than NEIGHBOURS sets share, each is compared with those next to it in the
    order of the following band, where sets that are alike are next to each other.
    """
    found = [np.empty((0, 2), np.int64)]
    following = _band(values, 0)
    for number in reversed(range(BANDS)):
        band = _band(values, number)
        order = np.lexsort((following, band))
        found += [pairs[_likely(values, pairs)] for pairs in _neighbours(band[order], order)]
        following = band
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _band(values: Values, number: int) -> NDArray[np.uint64]:
    """One number for the four values of a band."""
    mixed = np.zeros(len(values), np.uint64)
    for column in range(number * ROWS, (number + 1) * ROWS):
        mixed = (mixed ^ values[:, column]) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _neighbours(band: NDArray[np.uint64], order: Pairs) -> Iterator[Pairs]:
    """Pairs that stand at most NEIGHBOURS apart and have the same band, a few at a time."""
    for apart in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(band[apart:] == band[:-apart])
        for start in range(0, len(same), CHUNK_PAIRS):
            at = same[start : start + CHUNK_PAIRS]
            yield np.stack([order[at], order[at + apart]], axis=1)


def _likely(values: Values, pairs: Pairs) -> NDArray[np.bool_]:
    shared = (values[pairs[:, 0]] == values[pairs[:, 1]]).sum(axis=1)
    return np.asarray(shared >= LIKELY * VALUES)
