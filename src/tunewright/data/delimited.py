"""CSV, TSV and plain text: the delimiter, the quoting and the header are found, not asked for."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from tunewright.data.arrow_cache import LINE, cache_place, gather, is_large, refuse_duplicates
from tunewright.data.encoding import probe_text
from tunewright.data.table import Table, Unreadable
from tunewright.errors import DataError

SAMPLE_LINES = 2000
SAMPLE_CHARACTERS = 1 << 20
BATCH_ROWS = 20_000
BATCH_CHARACTERS = 8 << 20
FIELD_CHARACTERS = 2**31 - 1
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_HEADER_WORDS = (
    "text texts sentence sentence1 sentence2 sentence_1 sentence_2 review reviews content message "
    "messages tweet tweets question question1 question2 utterance utterances comment comments body "
    "document headline title description premise hypothesis text_a text_b text1 text2 query prompt "
    "label labels category categories class classes intent intents sentiment target targets tag "
    "topic label_name label_text rating stars score id idx index date time timestamp author user "
    "source lang language reply answer response name group split"
)
HEADER_WORDS = frozenset(_HEADER_WORDS.split())
Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Layout:
    """How a text file is cut into cells; no delimiter means one text per line."""

    delimiter: str | None
    quoted: bool
    header: bool


class _BrokenError(Exception):
    """A row that the layout cannot read: its first line, and the csv module's words."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def read_delimited(path: Path, unreadable: Unreadable | None = None) -> Table:
    """The rows of a CSV, TSV or TXT file; every value stays the text that it is.

    Args:
        unreadable: gets each row that is too wide or too narrow, which is passed over; None to
            refuse the first.
    Raises:
        DataError: ragged row, open quote, column named twice, no rows; with the line.
    """
    probe = probe_text(path)
    layout = _find_layout(path, probe.encoding)
    names = _names(path, probe.encoding, layout)
    fields = [pa.field(name, pa.large_string()) for name in names]
    schema = pa.schema([*fields, pa.field(LINE, pa.int64())])
    kind = path.suffix.lower().strip(".") or "txt"
    cached = is_large(path) and unreadable is None  # what is in the cache is whole
    place = cache_place(probe.sha256, kind) if cached else None
    rows = _checked(path, probe.encoding, layout, len(names), unreadable)
    return gather(schema, _batches(rows, schema), source=str(path), place=place)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with path.open(encoding=encoding, newline="") as file:
        yield from file


def _records(lines: Iterable[str], delimiter: str | None, quoted: bool) -> Iterator[Record]:
    """Each row that is not empty, with the line on which it begins."""
    if delimiter is None:
        for number, text in enumerate(lines, start=1):
            if text.strip():
                yield number, [text.rstrip("\r\n")]
        return
    csv.field_size_limit(FIELD_CHARACTERS)
    if quoted:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _BrokenError(line, str(error)) from None
        if any(cells):
            yield line, cells


def _sample(path: Path, encoding: str) -> tuple[list[str], bool]:
    """The first lines, and whether they are the whole file."""
    lines: list[str] = []
    characters = 0
    source = _lines(path, encoding)
    for line in source:
        lines.append(line)
        characters += len(line)
        if len(lines) >= SAMPLE_LINES or characters >= SAMPLE_CHARACTERS:
            return lines, next(source, None) is None
    return lines, True


def _find_layout(path: Path, encoding: str) -> Layout:
    lines, whole = _sample(path, encoding)
    if not any(line.strip() for line in lines):
        raise DataError(f"{path} is empty", fix="pass a file with a header and rows")
    suffix = path.suffix.lower()
    order = "\t,;|" if suffix in (".tsv", ".tab") else ",;\t|"
    best = (0.0, 0)
    chosen: Layout | None = None
    for delimiter in order:
        for quoted in (True, False) if delimiter in "\t|" else (True,):
            rows, broken = _try(lines, delimiter, quoted, whole)
            share = _share_alike(rows) * (0.5 if broken else 1.0)
            if not quoted and any(_wrapped(cell) for _, cells in rows for cell in cells):
                continue  # cells in quotes: this file does quote
            same = delimiter == (chosen.delimiter if chosen else None)
            if share > best[0] + 1e-9 or (same and share == best[0] and len(rows) > best[1]):
                best = (share, len(rows))
                chosen = Layout(delimiter, quoted, _has_header(rows))
    plain = suffix in (".txt", ".text")
    if chosen is not None and not (plain and best[0] < 0.9):
        return chosen
    if plain:
        return Layout(None, True, lines[0].strip().lower() in HEADER_WORDS)
    return Layout(order[0], True, _has_header(_try(lines, order[0], True, whole)[0]))


def _wrapped(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _try(lines: list[str], delimiter: str, quoted: bool, whole: bool) -> tuple[list[Record], bool]:
    """The rows that this layout can read, and whether it broke before the end.

    The last row of a sample that is not the whole file is left out: it may be cut.
    """
    rows: list[Record] = []
    records = _records(lines, delimiter, quoted)
    while True:
        try:
            rows.append(next(records))
        except StopIteration:
            return (rows if whole or len(rows) < 2 else rows[:-1]), False
        except _BrokenError as broken:
            return rows, whole or "unexpected end" not in broken.reason


def _share_alike(rows: list[Record]) -> float:
    """The share of rows as wide as the first one; 0 where the first has one cell."""
    if not rows or len(rows[0][1]) < 2:
        return 0.0
    width = len(rows[0][1])
    return sum(len(cells) == width for _, cells in rows) / len(rows)


def _has_header(rows: list[Record]) -> bool:
    """Whether the first row is names; only clear signs make it data."""
    if not rows:
        return True
    first, rest = rows[0][1], [cells for _, cells in rows[1:] if len(cells) == len(rows[0][1])]
    known = [cell.strip().lower().lstrip("#") in HEADER_WORDS for cell in first]
    if all(known):
        return True
    for index, cell in enumerate(first):
        values = [cells[index] for cells in rest]
        if cell and cell in values and len(set(values)) <= max(2, len(values) // 2):
            return False
    if any(known):
        return True
    if any(len(cell) > 60 or len(cell.split()) > 6 for cell in first):
        return False
    if len(first) == 1:
        return first[0].strip().isidentifier()
    return not any(_is_number(cell) for cell in first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _names(path: Path, encoding: str, layout: Layout) -> list[str]:
    try:
        _, first = next(_records(_lines(path, encoding), layout.delimiter, layout.quoted))
    except _BrokenError as broken:
        raise _explain(path, broken) from None
    cells = [cell.strip() for cell in first] if layout.header else [""] * len(first)
    names = [cell or f"column_{index}" for index, cell in enumerate(cells, start=1)]
    refuse_duplicates(names, str(path))
    return names


def _checked(
    path: Path, encoding: str, layout: Layout, width: int, unreadable: Unreadable | None
) -> Iterator[Record]:
    """Every row of data, each as wide as the first row of the file."""
    records = _records(_lines(path, encoding), layout.delimiter, layout.quoted)
    try:
        for line, cells in islice(records, 1, None) if layout.header else records:
            if len(cells) == width:
                yield line, cells
            elif unreadable is None:
                raise _ragged(path, line, cells, layout, width)
            else:
                unreadable[line] = _width(cells, width)
    except _BrokenError as broken:
        raise _explain(path, broken) from None


def _width(cells: list[str], width: int) -> str:
    return f"has {len(cells)} values, expected {width} like the first row"


def _ragged(path: Path, line: int, cells: list[str], layout: Layout, width: int) -> DataError:
    sign = DELIMITERS.get(layout.delimiter or "", "delimiter")
    more = f"put the text in double quotes if it has a {sign} in it"
    return DataError(
        f"line {line} of {path} {_width(cells, width)}",
        fix=more if len(cells) > width else "add the missing values, or remove the line",
    )


def _explain(path: Path, broken: _BrokenError) -> DataError:
    if "unexpected end" in broken.reason:
        what = f"line {broken.line} of {path} opens a quote that is never closed"
        return DataError(what, fix="close it, or double every quote inside the text")
    what = f"the row from line {broken.line} of {path} has a quote in the wrong place"
    return DataError(f"{what}: {broken.reason}", fix="write a quote inside a quoted text twice")


def _batches(rows: Iterator[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Columns of bounded size; the last column is the line."""
    for first in rows:
        lines, cells, characters = [first[0]], [first[1]], 0
        for line, row in islice(rows, BATCH_ROWS - 1):
            lines.append(line)
            cells.append(row)
            characters += sum(map(len, row))
            if characters > BATCH_CHARACTERS:
                break
        columns = [pa.array(column, pa.large_string()) for column in zip(*cells, strict=True)]
        yield pa.record_batch([*columns, pa.array(lines, pa.int64())], schema=schema)
