"""Columns of pictures: which one it is, and the files behind its values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from tunewright.cache import cache_folder
from tunewright.data.pictures import is_picture_name, suffix_of
from tunewright.data.table import Table
from tunewright.durable import make_folder, write_bytes
from tunewright.errors import DataError

_IMAGE_WORDS = "image img picture photo file_name filename file path image_path img_path filepath"
IMAGE_NAMES = tuple(_IMAGE_WORDS.split())
SAMPLE_ROWS, SAMPLE_PICTURES = 200, 8
FEW_ROWS = 64  # pictures that are in memory together


def picture_columns(table: Table) -> list[str]:
    """The columns that hold pictures or paths of such, those with a usual name first."""
    found = [name for name in table.columns if _holds_pictures(table, name)]
    usual = {name: place for place, name in enumerate(IMAGE_NAMES)}
    return sorted(found, key=lambda name: usual.get(name.strip().lower(), len(usual)))


def has_usual_name(column: str) -> bool:
    """Whether the name alone says that it is the picture."""
    return column.strip().lower() in IMAGE_NAMES


def check_pictures(table: Table, column: str) -> None:
    """Raise DataError where a column can hold no pictures."""
    kind = _plain_type(table, column)
    if not (_is_struct(kind) or _is_bytes(kind) or _is_text(kind)) or (
        table.is_nested(column) and not _is_struct(kind)
    ):
        raise DataError(
            f"the column {column!r} of {table.source} holds neither paths nor pictures",
            fix="pass --data.columns.image NAME with a column of paths",
        )


def picture_paths(table: Table, column: str) -> pa.ChunkedArray:
    """The whole path of every row's picture; pictures in the table itself become files first.

    These are kept in the cache, named after their content.

    Raises:
        DataError: a row without picture, or one whose file is not there; with its line.
        FailedRunError: the cache cannot be written.
    """
    check_pictures(table, column)
    array = table.arrow[column]
    paths: list[str] = []
    for start in range(0, len(array), FEW_ROWS):
        for value in array.slice(start, FEW_ROWS).to_pylist():
            paths.append(_path(value, table, len(paths)))
    return pa.chunked_array([pa.array(paths, pa.large_string())])


def _path(value: Any, table: Table, row: int) -> str:
    data, name = value, None
    if isinstance(value, dict):
        data, name = value.get("bytes"), value.get("path")
    elif isinstance(value, str):
        data, name = None, value
    if data is not None:
        return _kept(bytes(data), name or "")
    if not name or not name.strip():
        raise DataError(f"{table.where(row)} names no picture", fix="fill it in, or remove the row")
    path = Path(table.source).parent.absolute() / Path(name.strip()).expanduser()
    if not path.is_file():
        kind = "and that is a folder" if path.is_dir() else "and there is no such file"
        raise DataError(
            f"{table.where(row)} names the picture {name}, {kind}",
            fix=f"paths count from the folder of {Path(table.source).name}: mend it, or remove the row",
        )
    return str(path)


def _kept(data: bytes, name: str) -> str:
    """The file in the cache that holds these bytes."""
    suffix = suffix_of(data) or (Path(name).suffix.lower() if is_picture_name(name) else ".bin")
    path = cache_folder() / "pictures" / f"{hashlib.sha256(data).hexdigest()}{suffix}"
    if not path.is_file() or path.stat().st_size != len(data):
        make_folder(path.parent)
        write_bytes(path, data)
    return str(path)


def _holds_pictures(table: Table, column: str) -> bool:
    kind = _plain_type(table, column)
    if _is_struct(kind):  # sound is written in the same way
        return has_usual_name(column) or any(
            suffix_of(value["bytes"] or b"") or is_picture_name(value["path"] or "")
            for value in _some(table, column, SAMPLE_PICTURES)
        )
    if _is_bytes(kind):
        return any(suffix_of(value) for value in _some(table, column, SAMPLE_PICTURES))
    if not _is_text(kind) or table.is_nested(column):
        return False
    values = map(is_picture_name, _some(table, column, SAMPLE_ROWS))
    return next(values, False) and all(values)


def _some(table: Table, column: str, count: int) -> Iterator[Any]:
    """Values of a few rows spread over the table, without nulls and empty ones."""
    array = table.arrow[column]
    for row in range(0, len(array), max(1, len(array) // count)):
        value = array[row].as_py()
        if value:
            yield value


def _plain_type(table: Table, column: str) -> pa.DataType:
    kind = table.arrow.schema.field(column).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_struct(kind: pa.DataType) -> bool:
    """As `datasets` writes an Image: {bytes, path}."""
    return bool(pa.types.is_struct(kind)) and {field.name for field in kind} == {"bytes", "path"}


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
