"""A cleaned copy of the data, and a list of all that differs; the original is never touched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tunewright.data.checks.index import Index
from tunewright.data.findings import show_row
from tunewright.data.removals import Removal, removals
from tunewright.data.repairs import repaired
from tunewright.data.rows import Rows
from tunewright.data.table import Table
from tunewright.data.write import refuse_to_write, write_table
from tunewright.durable import make_folder, replacing

Change = dict[str, Any]


def write_fixed(
    tables: Mapping[str, Table], index: Index, out: Path, texts: Sequence[str]
) -> dict[str, Any]:
    """Write the cleaned copy and the changes beside it: {"path", "changes_path", "changes"}.

    Args:
        tables: the parts as they were read; `index`: their rows, less those that a list excludes.
        out: a file, or where there are several parts a folder.
        texts: the columns that repairs may change.
    Raises:
        DataError: there is such a file, or its format is none that is written.
    """
    paths = {
        part: _path(part, table, out, alone=len(tables) == 1) for part, table in tables.items()
    }
    for part, path in paths.items():
        refuse_to_write(tables[part], path)
    gone = removals(index)
    changes: list[Change] = []
    for part, table in tables.items():
        some = [each for each in gone if each.part == part]
        kept = _kept(table, index.parts[part], some)
        changes += [_removed(index.parts[part], each) for each in some]
        changes += _unreadable(table)
        changes += _excluded(table, index.parts[part])
        columns = [name for name in texts if name in table.columns]
        fixed, more = _repair(table, kept, columns)
        changes += more
        make_folder(paths[part].parent)
        write_table(fixed, paths[part])
    list_path = out.with_name(out.name + ".changes.jsonl")
    with replacing(list_path) as file:
        for change in changes:
            file.write(json.dumps(change, ensure_ascii=False).encode() + b"\n")
    return {"path": str(out), "changes_path": str(list_path), "changes": len(changes)}


def _path(part: str, table: Table, out: Path, *, alone: bool) -> Path:
    if alone:
        return out
    suffix = Path(table.source).suffix.lower()
    return out / f"{part}{suffix if suffix in ('.csv', '.tsv', '.parquet') else '.jsonl'}"


def _kept(table: Table, rows: Rows, gone: Sequence[Removal]) -> np.ndarray:
    """The 0-based rows of the table that stay."""
    out = {int(rows.numbers[each.row]) for each in gone}
    stay = np.array([number for number in rows.numbers.tolist() if number not in out], np.int64)
    return np.flatnonzero(np.isin(_numbers(table), stay))


def _numbers(table: Table) -> np.ndarray:
    return np.arange(1, len(table) + 1) if table.lines is None else table.lines


def _removed(rows: Rows, removal: Removal) -> Change:
    kept = {} if removal.kept is None else {"kept": removal.kept}
    return {"change": "removed", "code": removal.code, **show_row(rows, removal.row), **kept}


def _unreadable(table: Table) -> Iterator[Change]:
    for line, flaw in table.unreadable:
        place = {"place": f"line {line} of {table.source}", "file": table.source, "line": line}
        yield {"change": "removed", "code": "unreadable-line", **place, "problem": flaw}


def _excluded(table: Table, rows: Rows) -> Iterator[Change]:
    """The rows that data.exclude names: the index is without them."""
    for at in np.flatnonzero(~np.isin(_numbers(table), rows.numbers)).tolist():
        place = {"place": table.where(at), "file": table.source, table.unit: table.number(at)}
        yield {"change": "removed", "code": "excluded", **place}


def _repair(
    table: Table, kept: np.ndarray, columns: Sequence[str]
) -> tuple[pa.Table, list[Change]]:
    """The rows that stay, with mended texts."""
    arrow, changes = table.arrow.take(kept), []
    for name in columns:
        texts: list[Any] = []
        for at, text in zip(kept.tolist(), arrow[name].to_pylist(), strict=True):
            mended, codes = repaired(text) if isinstance(text, str) else (text, [])
            texts.append(mended)
            place = {"place": table.where(at), "file": table.source, table.unit: table.number(at)}
            changes += [
                {
                    "change": "text",
                    "code": code,
                    **place,
                    "column": name,
                    "before": text,
                    "after": mended,
                }
                for code in codes
            ]
        if changes:
            field = arrow.schema.field(name)
            arrow = arrow.set_column(
                arrow.column_names.index(name), field, [pa.array(texts, field.type)]
            )
    return arrow, changes
