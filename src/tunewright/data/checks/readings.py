"""The texts of rows as a person reads them: all of them one by one, or a sample drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tunewright.data.chat.conversation import shown
from tunewright.data.checks.index import Index
from tunewright.data.findings import KEPT_ROWS, Place
from tunewright.data.rows import Rows, joined_texts

SEED = 0
"""Of every sample that the check draws: the same rows give the same findings."""


@dataclass
class Met:
    """How many rows were met, their ids, and the first of them to show."""

    count: int = 0
    places: list[Place] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def add(self, rows: Rows, row: int) -> None:
        """Count one row."""
        self.count += 1
        self.ids.append(rows.ids[row])
        if len(self.places) < KEPT_ROWS:
            self.places.append((rows, row))


def readings(index: Index) -> Iterator[tuple[Rows, int, str]]:
    """Every row with its text and pair as one, a line for each turn of a conversation."""
    for rows in index.parts.values():
        if rows.reads != "image":
            for row, text in enumerate(joined_texts(rows)):
                yield rows, row, shown(text) if index.of_form else text


def reading(rows: Rows, row: int) -> str:
    """One row's text as `readings` gives it."""
    text = joined_texts(rows)[row]
    return shown(text) if rows.reads in ("chat", "preference") else text


def drawn(num_rows: int, most: int) -> NDArray[np.int64]:
    """At most so many of the rows, by chance and the same each time, in order."""
    if num_rows <= most:
        return np.arange(num_rows)
    draw = np.random.default_rng([SEED, num_rows])
    return np.sort(draw.choice(num_rows, most, replace=False))


def sample_words(taken: int, total: int) -> str:
    """For messages: 'in a sample of 2,000 of 10,003 rows, ', or nothing where all were read."""
    return "" if taken == total else f"in a sample of {taken:,} of {total:,} rows, "
