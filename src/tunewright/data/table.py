"""Rows and typed columns as they were read, each row with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

PICTURE = "picture"
"""The unit of rows that are files of a folder."""
Unreadable = dict[int, str]
"""Line → why it is no row."""
NESTED = b"tunewright.nested"
"""Field metadata of a column whose lists or objects are kept as JSON text."""


@dataclass(frozen=True, eq=False)
class Table:
    """What a file holds, before anyone has said which column is which.

    Args:
        columns: names, in the file's order.
        arrow: typed values; the data may be memory-mapped.
        source: the file, folder or data set id as the user wrote it.
        lines: 1-based line of each row in the source, or None where rows have no lines.
        of_pictures: each row is a file of the folder `source`.
        unreadable: lines that are no rows, each with what is wrong, where they are passed over.
    """

    columns: tuple[str, ...]
    arrow: pa.Table
    source: str
    lines: NDArray[np.int64] | None = None
    of_pictures: bool = False
    unreadable: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    @property
    def unit(self) -> str:
        """What `number` counts: 'line', 'row' or 'picture'."""
        if self.of_pictures:
            return PICTURE
        return "row" if self.lines is None else "line"

    def number(self, index: int) -> int:
        """The 1-based line, or row, of the row at this 0-based index."""
        return index + 1 if self.lines is None else int(self.lines[index])

    def where(self, index: int) -> str:
        """For people: 'line 17 of tickets.csv', or 'row 17 of x.parquet'."""
        return f"{self.unit} {self.number(index)} of {self.source}"

    def is_nested(self, column: str) -> bool:
        """Whether the column's values are lists or objects."""
        field = self.arrow.schema.field(column)
        return bool(pa.types.is_nested(field.type)) or NESTED in (field.metadata or {})


def scalar_text(value: Any) -> str | None:
    """A value as the text of a label: 3 → '3', 3.0 → '3', True → 'true', None → None.

    >>> scalar_text(3.0), scalar_text(False), scalar_text("a")
    ('3', 'false', 'a')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
