"""The order of rows: a pure function of seed, epoch and step, never of what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np

POOL_BATCHES = 64


def draw_key(*parts: int | str) -> int:
    """A number below 2^63 that stands for these parts, the same on every machine."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def epoch_batches(
    lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int
) -> list[np.ndarray]:
    """Row numbers of each step of one epoch; every row once.

    Rows are shuffled, dealt to pools of 64 batches, sorted by length inside a pool so that a
    batch needs little padding, and the batches are shuffled. The last batch may be smaller.

    Args:
        lengths: int (rows), tokens per row.
    """
    random = np.random.default_rng(draw_key("order", seed, epoch))
    order = random.permutation(len(lengths))
    pool = batch_size * POOL_BATCHES
    batches: list[np.ndarray] = []
    for first in range(0, len(order), pool):
        rows = order[first : first + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def in_parts(rows: np.ndarray, parts: int) -> list[np.ndarray]:
    """One step's rows in so many parts, computed one after the other (accumulation)."""
    return [part for part in np.array_split(rows, parts) if len(part)]
