"""Rows that a list says to leave out: file, line and content, written by a check or by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.data.rows import CONTENT_DIGITS, Rows
from tunewright.durable import replacing
from tunewright.errors import DataError

_ANEW = "make the list again: tunewright check DATA --exclude LIST.jsonl"


def exclusion(rows: Rows, index: int, code: str) -> dict[str, Any]:
    """The line of a list that names this row: where it is, what it holds, and why it goes."""
    return {
        "file": rows.source,
        rows.unit: int(rows.numbers[index]),
        "content": rows.ids[index][:CONTENT_DIGITS],
        "code": code,
    }


def write_exclusions(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a list of rows, a JSON object a line."""
    with replacing(path) as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def without_excluded(parts: Mapping[str, Rows], path: str | None) -> tuple[dict[str, Rows], int]:
    """The parts less the rows that a list names, and how many these are.

    Raises:
        DataError: the list cannot be read, or names a row that is not there as it was.
    """
    if path is None:
        return dict(parts), 0
    out: dict[str, set[int]] = {part: set() for part in parts}
    places = {part: _places(rows) for part, rows in parts.items()}
    for number, line in _lines(Path(path)):
        where = f"line {number} of {path}"
        part, index = _find(line, parts, places, where)
        rows = parts[part]
        if rows.ids[index][:CONTENT_DIGITS] != line.get("content"):
            raise DataError(
                f"{where} leaves out {rows.place(index)}, which holds something else now", fix=_ANEW
            )
        out[part].add(index)
    kept = {part: rows.take(_others(len(rows), out[part])) for part, rows in parts.items()}
    return kept, sum(map(len, out.values()))


def _others(size: int, out: set[int]) -> np.ndarray:
    return np.setdiff1d(np.arange(size), np.fromiter(out, np.int64, len(out)))


def _places(rows: Rows) -> dict[int, int]:
    """The row of each line."""
    return {number: index for index, number in enumerate(rows.numbers.tolist())}


def _find(
    line: Mapping[str, Any],
    parts: Mapping[str, Rows],
    places: Mapping[str, Mapping[int, int]],
    where: str,
) -> tuple[str, int]:
    """The part and the row that a line names."""
    file = line.get("file")
    same = [
        part
        for part, rows in parts.items()
        if rows.source == file or Path(rows.source).absolute() == Path(str(file)).absolute()
    ]
    for part in same:
        index = places[part].get(line.get(parts[part].unit, 0))
        if index is not None:
            return part, index
    if not same:
        raise DataError(f"{where} names {file}, which is not part of the data", fix=_ANEW)
    raise DataError(f"{where} names a row that {file} has not", fix=_ANEW)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}, the rows to leave out, cannot be read: {error}", fix=_ANEW
        ) from None
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise DataError(f"line {number} of {path} is not a JSON object", fix=_ANEW)
        yield number, content
