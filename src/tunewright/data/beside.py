"""Columns that are kept beside what is learned, so that scores can be told by their values."""

from __future__ import annotations

import difflib

from tunewright.data.columns import Columns
from tunewright.data.table import Table, scalar_text
from tunewright.errors import DataError


def values_beside(table: Table, columns: Columns, name: str) -> list[str | None]:
    """The values of a column, as text; None where a row has none.

    Raises:
        DataError: there is no such column, it is what is read or learned, or it holds lists.
    """
    refuse_unfit(table, columns, name)
    known: dict[str | None, str | None] = {}
    values = []
    for chunk in table.arrow[name].chunks:
        for value in chunk.to_pylist():
            shown = scalar_text(value)
            shown = None if shown is None or not shown.strip() else shown
            values.append(known.setdefault(shown, shown))  # one object for all rows of a value
    return values


def refuse_unfit(table: Table, columns: Columns, name: str) -> None:
    """Raise DataError unless rows can be told apart by this column; else do nothing."""
    if name not in table.columns:
        near = difflib.get_close_matches(name, table.columns, n=1)
        raise DataError(
            f"{table.source} has no column {name!r} to show scores by "
            f"(found: {', '.join(table.columns)})",
            fix=f"did you mean {near[0]!r}?"
            if near
            else "name columns that are there: evaluate.slices, or --slices of evaluate",
        )
    if name in (columns.text, columns.text_pair, columns.label):
        part = "learned" if name == columns.label else "read"
        raise DataError(
            f"the column {name!r} of {table.source} is what is {part}, not a column beside it",
            fix="name another column; scores of each label and by length are in the report anyway",
        )
    if table.is_nested(name):
        raise DataError(
            f"the column {name!r} of {table.source} holds lists or objects",
            fix="name a column with one value for each row",
        )
