"""Which rows a cleaned copy is without: those that teach nothing, and those that leak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.data.checks.index import Index, also_in, pairs_of_parts
from tunewright.data.checks.near import near_copies


@dataclass(frozen=True)
class Removal:
    """A row to take out.

    Args:
        code: of the finding that it is part of.
        kept: where the row is that stays in its place, for people; None where there is none.
    """

    part: str
    row: int
    code: str
    kept: str | None = None


def removals(index: Index) -> list[Removal]:
    """Each row to take out once, by part and row: a given test part loses empty rows and copies."""
    found: dict[tuple[str, int], Removal] = {}
    for each in (*_empty(index), *_leaks(index), *_near_leaks(index), *_copies(index)):
        found.setdefault((each.part, each.row), each)
    order = {part: at for at, part in enumerate(index.parts)}
    return sorted(found.values(), key=lambda each: (order[each.part], each.row))


def _empty(index: Index) -> Iterator[Removal]:
    code = "format-image" if index.noun == "picture" else "empty-text"
    for part, rows in index.empty.items():
        yield from (Removal(part, row, code) for row in sorted(rows))


def _leaks(index: Index) -> Iterator[Removal]:
    for part, other in pairs_of_parts(index.parts):
        first: dict[bytes, int] = {}
        for row, key in enumerate(index.keys[other].tolist()):
            first.setdefault(key, row)
        for row in also_in(index, part, other):
            at = first[index.keys[part][row]]
            yield Removal(part, row, "leak", index.parts[other].place(at))


def _near_leaks(index: Index) -> Iterator[Removal]:
    for part, other in pairs_of_parts(index.parts):
        for copy in near_copies(index.near, index.keys[part], index.keys[other]):
            yield Removal(part, copy.row, "near-leak", index.parts[other].place(copy.of))


def _copies(index: Index) -> Iterator[Removal]:
    """Rows that are there before with the same label: with another one, nobody knows which to keep."""
    for part, rows in index.parts.items():
        first: dict[tuple[bytes, str | None], int] = {}
        for row, key in enumerate(index.whole_keys[part].tolist()):
            label = None if rows.labels is None else rows.labels[row]
            at = first.setdefault((key, label), row)
            if at != row:
                yield Removal(part, row, "duplicate", rows.place(at))
