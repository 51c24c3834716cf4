"""Which texts are nearly the same: MinHash finds the candidates, and each is looked at exactly.

Two texts are near where their shingles have a Jaccard similarity of ALIKE or more, and, of texts
that are not long, where their numbers are the same, where nearly no word is replaced by another, and
where their words stand in nearly the same order.
Shingles that most texts have, such as those of a form that all are written in, do not count.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from tunewright.data.chat.conversation import asked_and_answered
from tunewright.data.duplicates import KEY, Keys
from tunewright.data.minhash import VALUES, candidates, values_of
from tunewright.data.rows import Rows
from tunewright.data.shingles import (
    LONG_WORDS,
    in_order,
    jaccard,
    num_replaced,
    numbers,
    shingles,
    words,
)

ALIKE, IN_ORDER, REPLACED = 0.75, 0.7, 0.05
SAMPLE, FEWEST, MOST = 2_000, 50, 0.5
"""Of up to 2,000 texts, if there are 50: a shingle of more than half of them does not count."""
CHUNK_TOKENS, KEPT_TEXTS = 100_000, 64
Sides = tuple[str, ...]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Near:
    """Pairs of texts that are near each other.

    Args:
        keys: of each text, in order: the place of a key is the number of its text.
        pairs: two texts' numbers, the lower first (pairs, 2).
        alike: how similar they are (pairs).
    """

    keys: Keys
    pairs: Numbers
    alike: NDArray[np.float64]

    def texts(self, keys: Keys) -> Numbers:
        """The number of the text of each row, by the rows' keys."""
        return np.searchsorted(self.keys, keys)

    def first_rows(self, texts: Numbers) -> Numbers:
        """The first row of each text, by number; -1 where there is none."""
        first = np.full(len(self.keys), -1, np.int64)
        first[texts[::-1]] = np.arange(len(texts))[::-1]
        return first

    def links(self, keys: Keys) -> Numbers:
        """Pairs of rows that are near, those most alike first; of equal rows the first stands."""
        first = self.first_rows(self.texts(keys))
        pairs = first[self.pairs[np.argsort(-self.alike, kind="stable")]]
        return pairs[(pairs >= 0).all(axis=1)].reshape(-1, 2)


def near_texts(parts: Sequence[Rows], keys: Sequence[Keys], *, whole: bool = False) -> Near:
    """The pairs of different texts that are near, the same whatever the order of the rows.

    Args:
        keys: of each part; rows with the same key are one text.
        whole: of conversations and preferences, compare the answers too, not only what is asked.
    """
    known, rows = np.unique(np.concatenate([*keys, np.empty(0, KEY)]), return_index=True)
    if any(part.reads == "image" for part in parts):
        rows = rows[:0]
    texts = _Texts(parts, rows, whole)
    texts.common = _common(texts)
    pairs = _candidates(texts)
    alike = np.array([_alike(texts.read(one), texts.read(two)) for one, two in pairs.tolist()])
    near = alike > 0
    return Near(known, pairs[near], alike[near])


class _Texts:
    """The texts by number, read from one row of each when asked for.

    Args:
        rows: the row that each text is read from, counted over all parts.
    """

    def __init__(self, parts: Sequence[Rows], rows: Numbers, whole: bool) -> None:
        self.parts, self.rows, self.whole = parts, rows, whole
        self.ends = list(accumulate(len(part) for part in parts))
        self.common: frozenset[str] = frozenset()
        self.read = lru_cache(KEPT_TEXTS)(self._shingled)

    def __len__(self) -> int:
        return len(self.rows)

    def sides(self, number: int) -> Sides:
        """What is compared, one by one: a text, two texts, what is asked and what is answered."""
        row = int(self.rows[number])
        at = bisect_right(self.ends, row)
        part, index = self.parts[at], row - (self.ends[at - 1] if at else 0)
        if part.reads in ("chat", "preference"):
            return asked_and_answered(json.loads(part.texts[index]))[: 2 if self.whole else 1]
        text = part.texts[index]
        return (text,) if part.pairs is None else (text, part.pairs[index])

    def _shingled(self, number: int) -> list[tuple[list[str], set[str]]]:
        """Of each side its words, and the shingles that count."""
        found = [words(side) for side in self.sides(number)]
        return [(each, shingles(each) - self.common) for each in found]

    def tokens(self, number: int) -> list[str]:
        """The shingles of all sides in one, those of the second side marked."""
        (_, tokens), *others = self._shingled(number)
        return [*tokens, *(f"|{each}" for _, more in others for each in more)]


def _common(texts: _Texts) -> frozenset[str]:
    """Shingles of more than half of the texts; numbers are in the order of a hash: a fair sample."""
    size = min(len(texts), SAMPLE)
    if size < FEWEST:
        return frozenset()
    found = Counter(each for text in range(size) for _, some in texts.read(text) for each in some)
    texts.read.cache_clear()
    return frozenset(each for each, count in found.items() if count > MOST * size)


def _candidates(texts: _Texts) -> Numbers:
    values = np.empty((len(texts), VALUES), np.uint32)
    filled: list[int] = []
    for known in _in_chunks(texts):
        values[list(known)] = values_of(list(known.values()))
        filled += known
    kept = np.sort(np.array(filled, np.int64))
    return kept[candidates(values[kept])]


def _in_chunks(texts: _Texts) -> Iterator[dict[int, list[str]]]:
    """The shingles of the texts that have some, a few texts at a time, as they are in the file."""
    known: dict[int, list[str]] = {}
    num_tokens = 0
    for text in np.argsort(texts.rows).tolist():
        tokens = texts.tokens(text)
        if tokens:
            known[text] = tokens
            num_tokens += len(tokens)
        if num_tokens >= CHUNK_TOKENS:
            yield known
            known, num_tokens = {}, 0
    if known:
        yield known


def _alike(one: list[tuple[list[str], set[str]]], two: list[tuple[list[str], set[str]]]) -> float:
    """How similar the least similar side is; 0 where two texts are not near."""
    least = 1.0
    for (mine, some), (theirs, others) in zip(one, two, strict=True):
        alike = 1.0 if mine == theirs else jaccard(some, others)
        if alike < ALIKE or not _same_sense(mine, theirs):
            return 0.0
        least = min(least, alike)
    return least


def _same_sense(one: Sequence[str], two: Sequence[str]) -> bool:
    """Whether numbers, words and order are nearly the same; of long texts that is not asked."""
    shorter = min(len(one), len(two))
    if shorter > LONG_WORDS:
        return True
    return (
        numbers(one) == numbers(two)
        and num_replaced(one, two) <= REPLACED * shorter
        and in_order(one, two) >= IN_ORDER
    )
