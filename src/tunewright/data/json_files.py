"""JSON and JSON lines to a table; a broken line is named by its number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tunewright.data.arrow_cache import LINE, cache_place, gather, is_large
from tunewright.data.encoding import probe_text
from tunewright.data.table import NESTED, Table, Unreadable, scalar_text
from tunewright.errors import DataError

BATCH_ROWS = 1_000
MAX_COLUMNS = 2_000
SHOWN_CHARACTERS = 40
_ONE_OBJECT_PER_LINE = (
    'write one object per line, such as {"text": "…", "label": "…"}; '
    "the name of a file that is one list ends with .json"
)
_LIST_OF_OBJECTS = 'write a list of objects, such as [{"text": "…", "label": "…"}]'
Row = dict[str, Any]
Numbered = tuple[int | None, Row]


def read_json_lines(path: Path, unreadable: Unreadable | None = None) -> Table:
    """The rows of a JSONL (NDJSON) file.

    Args:
        unreadable: gets each line that is no row, which is passed over; None to refuse the first.
    Raises:
        DataError: a line that is not a JSON object, no rows; with the line.
    """
    probe = probe_text(path)
    if unreadable is not None or not is_large(path):  # what is in the cache is whole
        rows: list[Numbered] = list(_parsed_lines(path, probe.encoding, unreadable))
        kinds = _kinds(rows, path)
        return gather(*_batches(rows, kinds, in_lines=True), source=str(path), place=None)
    kinds = _kinds(_parsed_lines(path, probe.encoding), path)
    again = _parsed_lines(path, probe.encoding)
    schema, batches = _batches(again, kinds, in_lines=True, stream=True)
    place = cache_place(probe.sha256, "jsonl")
    return gather(schema, batches, source=str(path), place=place)


def read_json(path: Path) -> Table:
    """The rows of a JSON file: a list of objects, {"data": [...]}, or one list per column.

    Raises:
        DataError: not JSON, or of another shape.
    """
    probe = probe_text(path)
    text = path.read_text(encoding=probe.encoding)
    if not text.strip():
        raise DataError(f"{path} is empty", fix=_LIST_OF_OBJECTS)
    try:
        content = _loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip().startswith("{"):
            return read_json_lines(path)
        raise DataError(
            f"line {error.lineno} of {path} is not JSON: {error.msg} (column {error.colno})",
            fix="mend that line; a file cut short in a copy ends like this",
        ) from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}", fix=_LIST_OF_OBJECTS) from None
    rows: list[Numbered] = [(None, row) for row in _rows_of(content, path)]
    kinds = _kinds(rows, path)
    return gather(*_batches(rows, kinds, in_lines=False), source=str(path), place=None)


def _loads(text: str) -> Any:
    """Parsed JSON whose strings can all be written as UTF-8, and whose objects say all they hold."""
    content = json.loads(text, object_pairs_hook=_object)
    return _mended(content) if "\\ud" in text or "\\uD" in text else content


def _object(pairs: list[tuple[str, Any]]) -> Row:
    """An object; JSON has no rule for which of two equal keys counts.

    Raises:
        ValueError: a key is there twice.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"an object has the key {twice[:SHOWN_CHARACTERS]!r} twice")
    return made


def _mended(value: Any) -> Any:
    """The value with half surrogate pairs, which no encoding can write, as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def _parsed_lines(
    path: Path, encoding: str, unreadable: Unreadable | None = None
) -> Iterator[Numbered]:
    with path.open(encoding=encoding, newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            row, flaw = _object_in(line)
            if row is not None:
                yield number, row
            elif unreadable is None:
                raise DataError(f"line {number} of {path} {flaw}", fix=_ONE_OBJECT_PER_LINE)
            else:
                unreadable[number] = flaw


def _object_in(line: str) -> tuple[Row | None, str]:
    """The object that a line holds, or None and what is wrong."""
    try:
        row = _loads(line.rstrip())  # else an error at its end is told as one of the next line
    except json.JSONDecodeError as error:
        return None, f"is not JSON: {error.msg} (column {error.colno})"
    except (RecursionError, ValueError) as error:
        return None, f"cannot be read as JSON: {error}"
    if not isinstance(row, dict):
        return None, f"holds {_kind_name(row)}, expected an object"
    return row, ""


def _kind_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")


def _rows_of(content: Any, path: Path) -> list[Row]:
    """The rows in any of the shapes that people save."""
    if isinstance(content, dict):
        lists = [key for key, value in content.items() if isinstance(value, list)]
        objects = [k for k in lists if content[k] and all(isinstance(r, dict) for r in content[k])]
        if len(objects) == 1 and (objects == lists or objects == ["data"]):
            return list(content[objects[0]])
        if len(objects) > 1 and objects == lists:
            raise DataError(
                f"{path} holds several lists of rows: {', '.join(objects)}",
                fix="save each part as a file: train.json, validation.json, test.json",
            )
        return _from_columns(content, path)
    if not isinstance(content, list):
        raise DataError(f"{path} holds {_kind_name(content)}, not rows", fix=_LIST_OF_OBJECTS)
    for index, row in enumerate(content, start=1):
        if not isinstance(row, dict):
            raise DataError(
                f"row {index} of {path} is {_kind_name(row)}, expected an object",
                fix=_LIST_OF_OBJECTS,
            )
    return content


def _from_columns(content: Row, path: Path) -> list[Row]:
    """Rows from {"text": [...], "label": [...]}, or pandas' {"text": {"0": ...}}."""
    columns: dict[str, list[Any]] = {}
    for name, column in content.items():
        if isinstance(column, dict) and column:
            column = list(column.values())
        if not isinstance(column, list):
            raise DataError(
                f"{path} is one object, and its {name!r} is {_kind_name(column)}, not a list",
                fix=_LIST_OF_OBJECTS,
            )
        columns[name] = column
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in list(lengths.items())[:6])
        raise DataError(
            f"{path} has columns of unequal length: {shown}",
            fix="give every column as many values as there are rows",
        )
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values())]  # noqa: B905


def _kinds(rows: Iterable[Numbered], path: Path) -> dict[str, set[type]]:
    """Which Python types each column holds, in the order the columns appear."""
    kinds: dict[str, set[type]] = {}
    for _, row in rows:
        for name, value in row.items():
            kinds.setdefault(name, set()).add(_type(value))
        if len(kinds) > MAX_COLUMNS:
            raise DataError(
                f"the objects in {path} have more than {MAX_COLUMNS} different keys",
                fix="use the same keys in every row",
            )
    if not kinds:
        raise DataError(f"{path} is empty", fix=_ONE_OBJECT_PER_LINE)
    return {name: found - {type(None)} for name, found in kinds.items()}


def _type(value: Any) -> type:
    """The value's type; an integer that 64 bits cannot hold is kept as text."""
    return str if type(value) is int and not -(2**63) <= value < 2**63 else type(value)


def _batches(
    rows: Iterable[Numbered],
    kinds: dict[str, set[type]],
    *,
    in_lines: bool,
    stream: bool = False,
) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    """A schema that fits every row, and the rows in batches of it."""
    if not stream:
        rows = list(rows)
        nested = {name: _nested([row.get(name) for _, row in rows]) for name in _nests(kinds)}
    else:
        nested = {}
    fields = [_field(name, found, nested.get(name)) for name, found in kinds.items()]
    if in_lines:
        fields.append(pa.field(LINE, pa.int64()))
    schema = pa.schema(fields)
    return schema, (_batch(part, schema) for part in _parts(rows))


def _parts(rows: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    source = iter(rows)
    while part := list(islice(source, BATCH_ROWS)):
        yield part


def _nests(kinds: dict[str, set[type]]) -> list[str]:
    return [name for name, found in kinds.items() if found and found <= {list, dict}]


def _nested(values: list[Any]) -> pa.DataType | None:
    """The Arrow type of lists, or None where they are not alike, or hold objects.

    Arrow would give all objects of a column the keys that any of them has.
    """
    try:
        found = pa.array(values).type
        pa.array(values, found)
    except (pa.ArrowException, OverflowError, TypeError):
        return None
    return None if _holds_objects(found) else found


def _holds_objects(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return True
    return pa.types.is_list(kind) and _holds_objects(kind.value_type)


def _field(name: str, found: set[type], nested: pa.DataType | None) -> pa.Field:
    simple = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    if nested is not None:
        return pa.field(name, nested)
    if found & {list, dict}:
        return pa.field(name, pa.large_string(), metadata={NESTED: b"json"})
    if len(found) == 1 and (only := next(iter(found))) in simple:
        return pa.field(name, simple[only])
    return pa.field(name, pa.float64() if found == {int, float} else pa.large_string())


def _batch(part: list[Numbered], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        if field.name == LINE:
            values: list[Any] = [number for number, _ in part]
        else:
            values = [row.get(field.name) for _, row in part]
        columns.append(_column(values, field))
    return pa.record_batch(columns, schema=schema)


def _column(values: list[Any], field: pa.Field) -> pa.Array:
    if NESTED in (field.metadata or {}):
        values = [v if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    elif pa.types.is_large_string(field.type):
        values = [scalar_text(value) for value in values]
    elif pa.types.is_floating(field.type):
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, field.type)
