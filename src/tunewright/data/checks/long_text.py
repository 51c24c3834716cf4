"""Texts that are far longer than the others: mostly several rows that became one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tunewright.data.checks.index import Index, num_rows
from tunewright.data.findings import Finding, Place, ids_of, show
from tunewright.data.rows import joined_texts

LEAST_CHARACTERS = 2_000
TIMES_THE_MEDIAN = 20


def long_text(index: Index) -> Iterator[Finding]:
    """Rows of 2,000 characters or more, and 20 times as many as half of their part have."""
    if index.of_form or index.noun == "picture":
        return
    met: list[Place] = []
    longest, middle = 0, 0.0
    for rows in index.parts.values():
        lengths = np.fromiter(map(len, joined_texts(rows)), np.int64, len(rows))
        median = float(np.median(lengths))
        far = np.flatnonzero(lengths >= max(LEAST_CHARACTERS, TIMES_THE_MEDIAN * median))
        met += [(rows, row) for row in far.tolist()]
        if len(far) and lengths.max() > longest:
            longest, middle = int(lengths.max()), median
    if met:
        yield Finding(
            "long-text",
            "note",
            f"{num_rows(len(met))} far longer than the others: the longest has {longest:,} characters, "
            f"half of the rows have {middle:,.0f} or fewer",
            "look whether several rows became one (a missing quotation mark), or cut them into rows",
            len(met),
            show(met),
            ids_of(met),
        )
