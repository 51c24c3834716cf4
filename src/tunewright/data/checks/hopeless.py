"""Data from which nothing can be learned."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tunewright.data.checks.index import Index
from tunewright.errors import DataError

MIN_ROWS = 20
MIN_UNTESTED = 10  # where no test part is dealt from them, and so no final number promised


def refuse_hopeless(index: Index, fewest: int = MIN_ROWS) -> None:
    """Raise DataError where no rows, texts or classes are there to learn, or fewer than `fewest`."""
    parts = index.parts
    total = sum(len(rows) for rows in parts.values())
    sources = ", ".join(dict.fromkeys(rows.source for rows in parts.values())) or "the data"
    if not total:
        raise DataError(f"{sources} has no rows", fix="add rows of data")
    for part, rows in parts.items():
        if not len(rows):
            raise DataError(f"{rows.source} has no rows ({part})", fix="add rows, or leave it out")
        if len(index.empty[part]) == len(rows) and rows.reads == "text":
            raise DataError(
                f"every text of {rows.source} is empty",
                fix="pass --data.columns.text NAME with the column that holds the text",
            )
    if total < fewest:
        raise DataError(
            f"{sources} has {total} rows, expected {fewest} or more",
            fix=f"add {'' if index.of_form else 'labelled '}rows; a few hundred make a number one can believe",
        )
    _refuse_equal_labels(index, sources)
    labels = Counter(name for rows in parts.values() for _, name in index.classes(rows))
    if not labels:
        return
    if len(labels) == 1 and index.kind == "one":
        raise DataError(
            f"every row of {sources} has the label {next(iter(labels))!r}: there is one class, "
            "expected two or more",
            fix="add rows of another class, or pass --data.columns.label NAME",
        )
    if len(labels) > total / 2:
        raise DataError(
            f"{sources} has {len(labels)} classes in {total} rows, expected two rows or more of "
            "each class",
            fix="pass --data.columns.label NAME; or merge classes, or add rows",
        )


def _refuse_equal_labels(index: Index, sources: str) -> None:
    """Raise where all rows have the same number, or the same labels where there may be several."""
    if index.kind == "one":
        return
    found: set[Any] = {label for rows in index.parts.values() for label in rows.labels or ()}
    if index.kind == "number":
        found = {float(label) for label in found}
    if len(found) == 1:
        what = "number" if index.kind == "number" else "labels"
        raise DataError(
            f"every row of {sources} has the {what} {found.pop()}: there is nothing to learn",
            fix="pass --data.columns.label NAME with another column",
        )
