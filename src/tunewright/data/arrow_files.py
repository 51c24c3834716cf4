"""Parquet, Arrow and Feather files, and folders saved by `datasets`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from tunewright.data.arrow_cache import as_table, cache_place, gather, is_large
from tunewright.data.table import Table
from tunewright.durable import file_sha256
from tunewright.errors import DataError

BATCH_ROWS = 1_000
_AGAIN = "write the file again; a copy that was cut short looks like this"


def read_parquet(path: Path) -> Table:
    """The rows of a Parquet file; a class-label column gets its names.

    Raises:
        DataError: damaged, or without rows.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not is_large(path):
                return as_table(name_classes(file.read()), str(path))
            place = cache_place(file_sha256(path), "parquet")
            batches = file.iter_batches(BATCH_ROWS)
            table = gather(file.schema_arrow, batches, source=str(path), place=place)
            return as_table(name_classes(table.arrow), str(path))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "Parquet", error) from None


def read_arrow(path: Path) -> Table:
    """The rows of an Arrow IPC file or stream (Feather too), memory-mapped."""
    return as_table(name_classes(_open_arrow(path)), str(path))


def _open_arrow(path: Path) -> pa.Table:
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        source = pa.memory_map(str(path))
        opened = pa.ipc.open_file if magic == b"ARROW1" else pa.ipc.open_stream
        table = opened(source).read_all()
        table.validate()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "Arrow", error) from None
    return table


def _damaged(path: Path, kind: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return DataError(f"{path} is not a whole {kind} file: {reason}", fix=_AGAIN)


def saved_parts(folder: Path) -> dict[str, Path] | None:
    """The parts of a folder written by `save_to_disk`; {'all': …} for one data set."""
    if (folder / "dataset_dict.json").is_file():
        splits = _json(folder / "dataset_dict.json").get("splits") or []
        return {str(name): folder / str(name) for name in splits}
    return {"all": folder} if (folder / "state.json").is_file() else None


def read_saved(folder: Path) -> Table:
    """One data set saved by `datasets.save_to_disk`, memory-mapped.

    Raises:
        DataError: a file of it is missing or damaged.
    """
    names = [str(entry.get("filename")) for entry in _json(folder / "state.json")["_data_files"]]
    for name in names:
        if not (folder / name).is_file():
            raise DataError(f"{folder} lacks its file {name}", fix="save the data set again")
    tables = [_open_arrow(folder / name) for name in names]
    if not tables:
        raise DataError(f"{folder} has no rows", fix="save the data set again, with rows")
    info = folder / "dataset_info.json"
    features = _json(info).get("features") if info.is_file() else None
    return as_table(name_classes(pa.concat_tables(tables), features), str(folder))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", fix="save the data set again") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no object", fix="save the data set again")
    return content


def name_classes(table: pa.Table, features: dict[str, Any] | None = None) -> pa.Table:
    """Put the names of a `ClassLabel` column in the place of its numbers."""
    for name, names in _class_names(table.schema, features):
        if name in table.column_names and pa.types.is_integer(table.schema.field(name).type):
            index = table.column_names.index(name)
            column = pa.chunked_array(
                list(_named(table.column(index), names)), type=pa.large_string()
            )
            table = table.set_column(index, name, column)
    return table


def _class_names(
    schema: pa.Schema, features: dict[str, Any] | None
) -> Iterator[tuple[str, list[str]]]:
    if features is None:
        try:
            stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
            features = stored["info"]["features"]
        except (ValueError, KeyError, TypeError):
            return
    for name, feature in (features or {}).items():
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            yield name, [str(label) for label in feature.get("names") or []]


def _named(column: pa.ChunkedArray, names: list[str]) -> Iterator[pa.Array]:
    for chunk in column.chunks:
        values = (
            None if v is None or v < 0 else names[v] if v < len(names) else str(v)
            for v in chunk.to_pylist()
        )
        yield pa.array(values, pa.large_string())
