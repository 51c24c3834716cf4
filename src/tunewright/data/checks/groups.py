"""Rows of one family on two sides: a group in two given parts, or one that nobody has named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.checks.index import Index, num_rows, pairs_of_parts, way_on
from tunewright.data.columns import Columns
from tunewright.data.findings import Finding, show
from tunewright.data.table import Table
from tunewright.recipe.schema import Data

_FAMILY = re.compile(
    r"(user|customer|client|author|person|patient|speaker|subject|account|member|reviewer|writer"
    r"|review|session|conversation|dialogue?|thread|ticket|document|doc|article|page|product|item"
    r"|group|source|url)s?([ _-]?(id|ids|no|nr|number|name|key|hash|uuid))?",
    re.IGNORECASE,
)
FEWEST_GROUPS = 3


def group_leaks(index: Index) -> Iterator[Finding]:
    """Rows of one part whose group is in another too."""
    for part, other in pairs_of_parts(index.parts):
        mine, theirs = index.parts[part].groups, index.parts[other].groups
        if mine is None or theirs is None:
            continue
        first: dict[str, int] = {}
        for row, group in enumerate(theirs):
            first.setdefault(group, row)
        shared = [row for row, group in enumerate(mine) if group in first]
        if shared:
            yield _leak(index, part, other, shared, first[mine[shared[0]]])


def _leak(index: Index, part: str, other: str, shared: list[int], same: int) -> Finding:
    rows, theirs = index.parts[part], index.parts[other]
    group = (rows.groups or [""])[shared[0]]
    return Finding(
        "group-leak",
        "error" if other == "test" else "warning",
        f"{num_rows(len(shared))} of {part} ({rows.source}) of a group that is also in {other}, "
        f"such as {group!r}: {rows.place(shared[0])} and {theirs.place(same)}",
        "keep all rows of a group in one part" + way_on("group-leak", other),
        len(shared),
        show((rows, row) for row in shared),
    )


def suggested_groups(
    tables: Mapping[str, Table], columns: Columns, data: Data
) -> Iterator[Finding]:
    """Columns that look as if they said which rows are of one family, where none is named."""
    table = next(iter(tables.values()))
    if data.group is not None or data.split.by not in ("auto", "stratified") or len(tables) == 3:
        return
    taken = set(columns.in_recipe.values()) | {data.time}
    names = [name for name in table.columns if name not in taken and _FAMILY.fullmatch(name)]
    for name in names:
        groups, repeated = _families(table, name)
        if repeated:
            yield Finding(
                "group-suggested",
                "note",
                f"the column {name!r} of {table.source} looks as if it said which rows belong "
                f"together: {num_rows(repeated)} share {groups} of its values, and the split "
                "separates them",
                f"keep them together by --set data.group={name}, if that is so",
                repeated,
            )


def _families(table: Table, name: str) -> tuple[int, int]:
    """How many values are there more than once, and their rows; none if the values are few or all."""
    if table.is_nested(name):
        return 0, 0
    found = pc.value_counts(table.arrow[name].drop_null().cast(pa.large_string()))
    counts = np.asarray(found.field("counts"))
    again = counts[counts > 1]
    if len(counts) < max(FEWEST_GROUPS, len(table) ** 0.5 / 2):
        return 0, 0
    return len(again), int(again.sum())
