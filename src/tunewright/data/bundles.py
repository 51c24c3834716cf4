"""Rows that stay together in a split: equal texts, groups, and near copies as far as they go."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST, LARGEST_SHARE = 10, 0.05
"""A chain of near copies ends at 5 % of the rows, or at ten rows where that is more."""
FEWEST = 3
"""Bundles that a class keeps, if it had them: one for each part."""
Links = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rows that stay together, with the rank that the seed gives them."""

    rows: tuple[int, ...]
    rank: bytes


class Ties:
    """Sets of rows that grow together, link by link.

    Args:
        sets: the number of each row's set to begin with; rows of one number are never parted.
        strata: of each row, the class that its set counts for; of several the rarest.
    """

    def __init__(self, sets: NDArray[np.int64], strata: Sequence[str]) -> None:
        self.sets = sets
        self.parent = list(range(int(sets.max(initial=-1)) + 1))
        self.size = np.bincount(sets, minlength=len(self.parent)).tolist()
        self.most = max(LARGEST, int(LARGEST_SHARE * len(sets)))
        self.often = Counter(strata)
        self.stratum = [""] * len(self.parent)
        for at, stratum in zip(sets.tolist(), strata, strict=True):
            self.stratum[at] = self._rarest(self.stratum[at] or stratum, stratum)
        self.left = Counter(self.stratum)

    def tie(self, links: Iterable[Sequence[int]]) -> None:
        """Put the sets of two rows together, unless that makes a set too large or a class too few."""
        for one, two in links:
            self._tie(self._root(int(self.sets[one])), self._root(int(self.sets[two])))

    def bundles(self, ranks: Sequence[bytes]) -> list[Bundle]:
        """The sets with the lowest rank of their rows, in the order of these."""
        members: dict[int, list[int]] = defaultdict(list)
        for row, at in enumerate(self.sets.tolist()):
            members[self._root(at)].append(row)
        found = [Bundle(tuple(rows), min(ranks[row] for row in rows)) for rows in members.values()]
        return sorted(found, key=lambda bundle: bundle.rank)

    def _root(self, at: int) -> int:
        while self.parent[at] != at:
            self.parent[at] = at = self.parent[self.parent[at]]
        return at

    def _rarest(self, one: str, two: str) -> str:
        return min((one, two), key=lambda stratum: (self.often[stratum], stratum))

    def _tie(self, one: int, two: int) -> None:
        if one == two or self.size[one] + self.size[two] > self.most:
            return
        kept = self._rarest(self.stratum[one], self.stratum[two])
        lost = self.stratum[two] if self.stratum[one] == kept else self.stratum[one]
        if self.left[lost] <= FEWEST:
            return
        self.left[lost] -= 1
        self.parent[two] = one
        self.size[one] += self.size[two]
        self.stratum[one] = kept


def numbered(values: Sequence[object] | NDArray[np.bytes_]) -> NDArray[np.int64]:
    """A number for each different value; the same value has the same."""
    return np.asarray(np.unique(np.asarray(values), return_inverse=True)[1], np.int64)


def chained(sets: NDArray[np.int64], ids: Sequence[str]) -> Links:
    """Links from each row to the next one of its set by id (links, 2)."""
    order = np.lexsort((numbered(ids), sets))
    same = sets[order][1:] == sets[order][:-1]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)
