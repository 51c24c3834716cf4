"""Which task the labels of a column are for, and whether they can be for the one asked for."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from tunewright.data.labels import is_list
from tunewright.data.table import Table
from tunewright.errors import DataError
from tunewright.recipe.schema import READS, TASKS

FREE_TEXT_CHARACTERS = 60


def task_of_labels(table: Table, column: str, values: list[Any], asked: str) -> tuple[str, str]:
    """The task that these labels are for, and why. Raises DataError where they are for none."""
    nested, measured = table.is_nested(column), _measured(values)
    reads_images = READS.get(asked) == "image"
    kinds = len(set(map(str, values)))
    many = len(values) >= 20 and kinds > 20 and kinds > 0.2 * len(values)
    if asked == "auto":
        if values and all(is_list(value) for value in values):
            return "text-multi-label", f"{column} holds a list for each row"
        if measured and many:
            return "text-regression", f"{column} holds {kinds} different decimal numbers"
        asked, why = "text-classification", f"{column} holds {kinds} different values"
    else:
        why = "asked for"
    if TASKS[asked] == "one":
        if measured and many:
            raise DataError(
                f"the column {column!r} of {table.source} holds {kinds} different decimal numbers, "
                "expected a few classes",
                fix=("" if reads_images else "set task to text-regression, or ")
                + "turn the numbers into classes",
            )
        _check_classes(table, column, values, reads_images)
    elif TASKS[asked] == "number" and nested:
        raise DataError(
            f"the column {column!r} of {table.source} holds lists or objects, expected one number "
            "for each row",
            fix="pass --data.columns.label NAME with one number for each row",
        )
    return asked, why


def _check_classes(table: Table, column: str, values: list[Any], reads_images: bool) -> None:
    if table.is_nested(column):
        raise DataError(
            f"the column {column!r} of {table.source} holds lists or objects, "
            "expected one label for each row",
            fix="pass --data.columns.label NAME with one value for each row"
            + (
                ""
                if reads_images
                else "; or, where rows have several labels, set task to text-multi-label"
            ),
        )
    count, kinds = len(values), len(set(values))
    texts = [value for value in values if isinstance(value, str)]
    length = mean_characters(texts)
    different = pc.count_distinct(table.arrow[column]).as_py() if count >= 20 else kinds
    wordy = length > FREE_TEXT_CHARACTERS and kinds > 2
    if (count >= 20 and kinds > 0.5 * count and (different > 1000 or kinds > 0.9 * count)) or (
        count >= 20 and wordy
    ):
        raise DataError(
            f"the column {column!r} of {table.source} is free text: {different} different values, "
            f"{length:.0f} characters on average; expected a few classes",
            fix="pass --data.columns.label NAME",
        )


def is_number(value: Any) -> bool:
    """Whether it is a number, or a text that is one."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _measured(values: list[Any]) -> bool:
    """Whether the values are numbers with decimals: measurements, not classes."""
    if not all(is_number(value) and not isinstance(value, bool) for value in values):
        return False
    return any(not float(value).is_integer() for value in values)


def mean_characters(values: list[Any]) -> float:
    """Of the texts; 0 where there are none."""
    return sum(len(v) for v in values) / len(values) if values else 0.0
