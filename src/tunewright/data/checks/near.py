"""Rows that are nearly there twice: in one part, or in two."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.data.checks.index import Index, num_rows, pairs_of_parts, way_on
from tunewright.data.duplicates import Keys
from tunewright.data.findings import SHOWN_ROWS, Finding, show_row
from tunewright.data.near import Near
from tunewright.data.rows import Rows

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Copy:
    """A row of one part, and the row that it is nearly the same as."""

    row: int
    of: int


def near_duplicates(index: Index) -> Iterator[Finding]:
    """Rows that are near copies of a row before them in the same part."""
    near, keys = index.near_wholes, index.whole_keys
    shown: list[dict[str, Any]] = []
    ids: list[str] = []
    for part, rows in index.parts.items():
        copies = _within(near, keys[part])
        ids += [rows.ids[copy.row] for copy in copies]
        shown += [_shown(rows, copy.row, rows, copy.of) for copy in copies[:SHOWN_ROWS]]
    if ids:
        yield Finding(
            "near-duplicate",
            "note",
            f"{num_rows(len(ids))} with a {index.noun} that is nearly one there before; the split "
            "keeps them together",
            "remove them if they are not meant to count twice",
            len(ids),
            tuple(shown[:SHOWN_ROWS]),
            tuple(ids),
        )


def near_leaks(index: Index) -> Iterator[Finding]:
    """Rows of one part that are near copies of rows in another."""
    for part, other in pairs_of_parts(index.parts):
        copies = near_copies(index.near, index.keys[part], index.keys[other])
        if not copies:
            continue
        rows, theirs = index.parts[part], index.parts[other]
        first = copies[0]
        yield Finding(
            "near-leak",
            "error" if other == "test" else "warning",
            f"{num_rows(len(copies))} of {part} ({rows.source}) with a "
            f"{'prompt' if index.of_form else index.noun} that is nearly one of {other}, such as "
            f"{rows.place(first.row)} and {theirs.place(first.of)}",
            f"remove from {part} what is nearly in {other}" + way_on("near-leak", other),
            len(copies),
            tuple(_shown(rows, copy.row, theirs, copy.of) for copy in copies[:SHOWN_ROWS]),
        )


def num_apart(near: Near, parts: Mapping[str, Rows], *, given: Collection[str]) -> int:
    """Rows that a split could not keep together with the rows they are near copies of.

    Args:
        given: parts that were not dealt: what leaks between these is a finding.
    """
    return sum(
        len(near_copies(near, parts[part].text_keys(), parts[other].text_keys()))
        for part, other in pairs_of_parts(parts)
        if not {part, other} & (set(given) - {"train"})
    )


def near_copies(near: Near, mine: Keys, theirs: Keys) -> list[Copy]:
    """Of rows with these keys, those that are near copies of their rows but not the same.

    Args:
        mine, theirs: the keys of the rows of two parts.
    """
    texts = near.texts(mine)
    first = near.first_rows(near.texts(theirs))
    ours = near.first_rows(texts) >= 0
    closest = _closest(near, ours & (first < 0), first >= 0)
    return [Copy(row, int(first[closest[text]])) for row, text in _rows_of(texts, closest)]


def _closest(near: Near, mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> dict[int, int]:
    """Of each text of mine that is near one of theirs, the one that is most alike."""
    found: dict[int, int] = {}
    for at in np.argsort(-near.alike, kind="stable").tolist():
        one, two = near.pairs[at].tolist()
        for text, close in ((one, two), (two, one)):
            if mine[text] and theirs[close]:
                found.setdefault(text, close)
    return found


def _rows_of(texts: Numbers, wanted: dict[int, int]) -> list[tuple[int, int]]:
    """(row, text) of each row whose text is wanted, as they come."""
    rows = np.flatnonzero(np.isin(texts, np.fromiter(wanted, np.int64, len(wanted))))
    return [(row, int(texts[row])) for row in rows.tolist()]


def _within(near: Near, keys: Keys) -> list[Copy]:
    """Of each text that is near one whose first row is before its own: that row, and the other."""
    first = near.first_rows(near.texts(keys))
    found: dict[int, int] = {}
    for one, two in near.pairs.tolist():
        early, late = sorted((int(first[one]), int(first[two])))
        if early >= 0:
            found[late] = min(early, found.get(late, early))
    return [Copy(row, found[row]) for row in sorted(found)]


def _shown(rows: Rows, row: int, others: Rows, of: int) -> dict[str, Any]:
    return show_row(rows, row) | {"near": others.place(of)}
