"""Tables to files, in the format that the file's name says."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from tunewright.data.table import NESTED, Table
from tunewright.durable import replacing
from tunewright.errors import DataError

FEW_ROWS = 1_000
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def refuse_to_write(table: Table, path: Path) -> None:
    """Raise DataError where a table cannot be written to a file of this name."""
    if table.of_pictures:
        raise DataError(
            f"{table.source} is a folder of pictures, of which no cleaned copy is written",
            fix="list the rows instead: tunewright check DATA --exclude LIST.jsonl",
        )
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"a cleaned copy cannot be written to {path}: its suffix is none of "
            f"{', '.join(SUFFIXES)}",
            fix=f"name it {path.with_suffix('.jsonl').name}",
        )
    if path.exists():
        raise DataError(f"{path} is there already", fix="choose another name for the cleaned copy")


def write_table(table: pa.Table, path: Path) -> None:
    """Write rows as CSV, TSV, JSON lines or Parquet; what was nested in JSON is so again in JSON lines."""
    with replacing(path) as file:
        suffix = path.suffix.lower()
        if suffix == ".parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, file)
        elif suffix == ".jsonl":
            for row in _rows(table, nested=True):
                file.write(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")
        else:
            _write_delimited(table, file, "\t" if suffix == ".tsv" else ",")


def _write_delimited(table: pa.Table, file: BinaryIO, delimiter: str) -> None:
    writer = csv.writer(codecs.getwriter("utf-8")(file), delimiter=delimiter, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table, nested=False):
        writer.writerow(row.values())


def _rows(table: pa.Table, *, nested: bool) -> Iterator[dict[str, Any]]:
    """Row by row; what is kept as JSON text read back where it is asked for."""
    texts = [field.name for field in table.schema if NESTED in (field.metadata or {})]
    for start in range(0, len(table), FEW_ROWS):
        for row in table.slice(start, FEW_ROWS).to_pylist():
            back = {name: json.loads(row[name]) for name in texts if nested and row[name]}
            yield row | back
