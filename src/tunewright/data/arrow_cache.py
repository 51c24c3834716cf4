"""Batches of rows to one table: in memory when small, memory-mapped from a cache when large."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from tunewright.cache import cache_folder
from tunewright.data.table import Table
from tunewright.durable import make_folder, replacing
from tunewright.errors import DataError

LARGE_BYTES = 64 << 20
"""A source above this size is streamed to disk and memory-mapped."""
LINE = "__tunewright_line__"
FORMAT_VERSION = 1


def is_large(path: Path) -> bool:
    """Whether the file is read through the cache."""
    return path.stat().st_size > LARGE_BYTES


def cache_place(sha256: str, kind: str) -> Path:
    """The file that holds the table of this content, read by this reader."""
    return cache_folder() / "tables" / f"{sha256[:40]}-{kind}-v{FORMAT_VERSION}.arrow"


def gather(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, source: str, place: Path | None
) -> Table:
    """One table from batches; through the file `place` when it is given.

    Raises:
        FailedRunError: the cache cannot be written.
    """
    if place is None:
        return as_table(pa.Table.from_batches(list(batches), schema=schema), source)
    if not place.exists():
        make_folder(place.parent)
        with replacing(place) as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    return as_table(mapped(place), source)


def mapped(place: Path) -> pa.Table:
    """An Arrow IPC file, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(str(place))).read_all()


def as_table(arrow: pa.Table, source: str) -> Table:
    """Take the line numbers out of the columns and refuse a table without rows."""
    lines = None
    if LINE in arrow.column_names:
        lines = np.asarray(arrow[LINE].to_numpy(), dtype=np.int64)
        arrow = arrow.drop_columns([LINE])
    if not arrow.num_rows:
        names = ", ".join(arrow.column_names)
        raise DataError(f"{source} has no rows (columns found: {names})", fix="add rows of data")
    refuse_duplicates(arrow.column_names, source)
    return Table(tuple(arrow.column_names), arrow, source, lines)


def refuse_duplicates(names: list[str], source: str) -> None:
    """Raise DataError when a column name is there twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{source} has the column {twice[0]!r} {names.count(twice[0])} times",
            fix="give every column a name of its own",
        )
