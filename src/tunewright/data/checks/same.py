"""Rows that are there twice: in one part, in two parts, or with two labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tunewright.data.checks.index import Index, also_in, num_rows, pairs_of_parts, way_on
from tunewright.data.duplicates import Keys, together
from tunewright.data.findings import Finding, Place, ids_of, show

CONTRADICTORY_SHARE = 0.1


def duplicates(index: Index) -> Iterator[Finding]:
    """Rows of a part that are there before, and the same rows with different labels."""
    again: list[Place] = []
    against: list[Place] = []
    for places in _same_rows(index, index.whole_keys):
        seen: set[str] = set()
        for part, i in places:
            if part in seen:
                again.append((index.parts[part], i))
            seen.add(part)
        if len({(index.parts[part].labels or [""] * (i + 1))[i] for part, i in places}) > 1:
            against += [(index.parts[part], i) for part, i in places]
    if again:
        yield Finding(
            "duplicate",
            "note",
            f"{num_rows(len(again))} with a {index.noun} that is there before; the split keeps them "
            "together",
            "remove them if they are not meant to count twice",
            len(again),
            show(again),
            ids_of(again),
        )
    if against:
        total = sum(len(rows) for rows in index.parts.values())
        many = len(against) > CONTRADICTORY_SHARE * total
        yield Finding(
            "contradictory-label",
            "error" if many else "warning",
            f"{num_rows(len(against))} with the same {index.noun} and different labels"
            + (f", which is more than {CONTRADICTORY_SHARE:.0%} of them" if many else ""),
            f"decide on one label for each {index.noun}"
            + (", or go on by --set data.allow=contradictory-label" if many else ""),
            len(against),
            show(against),
            ids_of(against),
        )


def leaks(index: Index) -> Iterator[Finding]:
    """Rows of one part that are in another too."""
    for part, other in pairs_of_parts(index.parts):
        rows = index.parts[part]
        shared = also_in(index, part, other)
        if not shared:
            continue
        most = len(shared) > 0.5 * len(rows)
        end = f"such as {rows.place(shared[0])} and {_place_of(index, part, shared[0], other)}"
        if most:
            end = f"that is most of them, so the parts are not different data, {end}"
        elif other != "test":
            end = f"left out of {part}, so that the {other} score can be believed"
        yield Finding(
            "leak",
            "error" if most or other == "test" else "warning",
            f"{num_rows(len(shared))} of {part} ({rows.source}) with a {'prompt' if index.of_form else index.noun} that is also in "
            f"{other}; {end}",
            f"remove from {part} what is in {other}" + way_on("leak", other),
            len(shared),
            show((rows, i) for i in shared),
        )


def _place_of(index: Index, part: str, row: int, other: str) -> str:
    """Where the other part has the text of this row."""
    same = index.keys[other] == index.keys[part][row]
    return index.parts[other].place(int(np.argmax(same)))


def _same_rows(index: Index, of_all: Mapping[str, Keys]) -> list[list[tuple[str, int]]]:
    """(part, row) of the rows of each text that is there twice or more, as they come."""
    ends = np.cumsum([len(keys) for keys in of_all.values()])
    names = list(of_all)

    def place(row: int) -> tuple[str, int]:
        part = int(np.searchsorted(ends, row, side="right"))
        return names[part], row - int(ends[part - 1] if part else 0)

    rows = sorted(rows for rows in together(np.concatenate(list(of_all.values()))) if len(rows) > 1)
    places = ([place(row) for row in same] for same in rows)
    return [same for same in places if same[0][1] not in index.empty[same[0][0]]]
