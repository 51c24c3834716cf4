"""Passes over all rows of a part: whole in a run, a few batches in the rehearsal of one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

BATCHES = 8  # of a pass that are computed in a rehearsal
FILLED_AT_ONCE = 1024  # vectors


class ShortPasses:
    """Computes some batches of each pass, and counts the seconds that the others would take.

    What took long in a batch is all that its user did until it asked for the next one.
    """

    def __init__(self) -> None:
        self.left_out_s = 0.0
        self.done = np.zeros(0, dtype=np.int64)  # rows, by the last pass

    def some(self, batches: Sequence[np.ndarray], lengths: np.ndarray) -> Iterator[np.ndarray]:
        """The longest batch, the shortest, and others at even distances."""
        if not batches:
            return
        chosen = spread(len(batches), BATCHES)
        took: list[float] = []
        for index in chosen:
            started = time.perf_counter()
            yield batches[index]
            took.append(time.perf_counter() - started)
        tokens = np.array([len(rows) * int(lengths[rows].max()) for rows in batches])
        self.left_out_s += float(seconds_of_all(tokens, chosen, took).sum()) - sum(took)
        self.done = np.concatenate([batches[index] for index in chosen])

    def fill(self, found: np.ndarray, targets: np.ndarray | None) -> None:
        """Give each row that the last pass left out the numbers of one with a like target."""
        kind = np.zeros(len(found)) if targets is None else targets
        kind = kind if kind.ndim == 1 else kind.argmax(axis=1)
        left_out = np.setdiff1d(np.arange(len(found)), self.done)
        there = self.done[np.argsort(kind[self.done], kind="stable")]
        ordered = left_out[np.argsort(kind[left_out], kind="stable")]
        found[ordered] = found[there[np.arange(len(ordered)) * len(there) // max(1, len(ordered))]]


_SHORT: ContextVar[ShortPasses | None] = ContextVar("short passes", default=None)


@contextmanager
def rehearsed(passes: ShortPasses) -> Iterator[None]:
    """Within, passes over all rows are short."""
    before = _SHORT.set(passes)
    try:
        yield
    finally:
        _SHORT.reset(before)


def in_rehearsal() -> bool:
    """Whether passes are short now."""
    return _SHORT.get() is not None


def whole_clock() -> float:
    """Seconds of a clock that goes on by what short passes leave out."""
    short = _SHORT.get()
    return time.monotonic() + (0.0 if short is None else short.left_out_s)


def passed(batches: Sequence[np.ndarray], lengths: np.ndarray) -> Iterator[np.ndarray]:
    """The batches of one pass, in order; in a rehearsal some of them."""
    short = _SHORT.get()
    yield from batches if short is None else short.some(batches, lengths)


def filled(found: np.ndarray, targets: np.ndarray | None = None) -> np.ndarray:
    """What a pass found of each row; what a rehearsal left out is taken from rows alike."""
    short = _SHORT.get()
    if short is not None:
        short.fill(found, targets)
    return found


def settle(flat: np.ndarray, vectors: np.ndarray) -> None:
    """In a rehearsal, fill the room for the rows of a pass: it is in memory at once, as it will be.

    Args:
        flat: (vectors, width). vectors: (some, width) of one row; zeros would have no gradient.
    """
    if _SHORT.get() is None:
        return
    several = np.tile(vectors, (1 + min(FILLED_AT_ONCE, len(flat)) // len(vectors), 1))
    for first in range(0, len(flat), len(several)):
        flat[first : first + len(several)] = several[: len(flat) - first]


def spread(count: int, most: int) -> list[int]:
    """At most so many numbers below `count`, the first and the last among them.

    >>> spread(9, 3), spread(2, 3)
    ([0, 4, 8], [0, 1])
    """
    places = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(place) for place in np.unique(places)]


def seconds_of_all(
    tokens: np.ndarray, measured: Sequence[int], took: Sequence[float]
) -> np.ndarray:
    """float64 (batches): seconds of each, by its tokens between those that were measured.

    Beyond them, seconds grow as tokens do.

    Args:
        tokens: int (batches). measured: numbers of batches that `took` so long.

    >>> seconds_of_all(np.array([10, 30, 20, 60]), [0, 1], [1.0, 3.0]).tolist()
    [1.0, 3.0, 2.0, 6.0]
    """
    there = tokens[list(measured)]
    known, group_of = np.unique(there, return_inverse=True)
    sums = np.bincount(group_of, weights=np.asarray(took))
    seconds = sums / np.bincount(group_of)
    inside = np.interp(tokens, known, seconds)
    beyond = np.clip(tokens, known[0], known[-1])
    return np.asarray(inside * tokens / np.maximum(1, beyond))
