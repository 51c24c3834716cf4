"""Orders in which every class comes equally often: pure functions of seed and epoch."""

from __future__ import annotations

import numpy as np

from tunewright.train.batches import draw_key


def balanced_rows(labels: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """As many row numbers as there are rows, equally many of each class, but for a remainder.

    A class with few rows is gone through again and again, one with many rows in part; within a
    class no row comes a second time before all others came.

    Args:
        labels: int (rows), the class of each.
    """
    random = np.random.default_rng(draw_key("balanced", seed, epoch))
    classes = random.permutation(np.unique(labels))
    shares = [len(part) for part in np.array_split(labels, len(classes))]
    return np.concatenate(
        [
            _in_turn(np.flatnonzero(labels == one), share, random)
            for one, share in zip(classes, shares, strict=True)
        ]
    )


def contrastive_batches(
    labels: np.ndarray, batch_size: int, *, seed: int, epoch: int
) -> list[np.ndarray]:
    """Row numbers of each step of one epoch; at least two rows of each class that a batch has.

    Classes take turns, and so do the rows of a class. A batch has all classes where there is room
    for two rows of each.

    Args:
        labels: int (rows), the class of each.
    """
    random = np.random.default_rng(draw_key("contrastive", seed, epoch))
    classes = np.unique(labels)
    of_each = max(2, batch_size // len(classes))
    at_once = max(1, batch_size // of_each)
    parts = -(-len(classes) // at_once)
    steps = contrastive_steps(len(labels), batch_size)
    turns = [
        turn
        for _ in range(-(-steps // parts))
        for turn in np.array_split(random.permutation(classes), parts)
    ]
    rounds = len(turns) // parts
    rows = {
        one: iter(
            _in_turn(np.flatnonzero(labels == one), rounds * of_each, random).reshape(-1, of_each)
        )
        for one in classes
    }
    return [np.concatenate([next(rows[one]) for one in turn]) for turn in turns[:steps]]


def contrastive_steps(rows: int, batch_size: int) -> int:
    """Steps of an epoch: as few as show as many rows as there are."""
    return -(-rows // batch_size)


def _in_turn(values: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """So many of the values, each once before any comes again, in an order drawn anew each time."""
    rounds = [random.permutation(values) for _ in range(-(-count // len(values)))]
    return np.concatenate([values[:0], *rounds])[:count]
