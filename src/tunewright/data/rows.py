"""The rows of a task: texts, labels, ids that depend on content alone, and places."""

from __future__ import annotations

import hashlib
import json
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tunewright.data.beside import values_beside
from tunewright.data.chat.conversation import prompt_of
from tunewright.data.chat.own_fields import Columns as OwnColumns
from tunewright.data.chat.own_fields import columns_of
from tunewright.data.columns import Columns
from tunewright.data.duplicates import KEY, Keys, picture_key, text_key
from tunewright.data.labels import Reader
from tunewright.data.picture_columns import picture_paths
from tunewright.data.pictures import look_at
from tunewright.data.table import PICTURE, Table, scalar_text
from tunewright.errors import DataError
from tunewright.recipe.schema import Reads

CONTENT_DIGITS = 24
"""Leading hex digits of a row id that depend on content; the other 8 count occurrences."""
FEW_ROWS, CHUNK_ROWS = 64, 1_000
CHUNK_CHARACTERS = 1 << 20
Indices = Sequence[int] | NDArray[np.int64]


def _values(column: pa.ChunkedArray) -> Iterator[Any]:
    """Every value, a few at a time: a text may be long."""
    for start in range(0, len(column), FEW_ROWS):
        yield from column.slice(start, FEW_ROWS).to_pylist()


class Lazy(Sequence[str]):
    """Texts that are read, or put together, when asked for."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._at(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._at(index % len(self))

    @abstractmethod
    def _at(self, index: int) -> str:
        """The text of a row, 0 or above."""


class Texts(Lazy):
    """Texts of chosen rows, read from the (maybe memory-mapped) column."""

    def __init__(self, column: pa.ChunkedArray, indices: NDArray[np.int64] | None = None) -> None:
        self._column = column
        self._indices = indices

    def __len__(self) -> int:
        return len(self._column) if self._indices is None else len(self._indices)

    def _at(self, index: int) -> str:
        row = index if self._indices is None else int(self._indices[index])
        return scalar_text(self._column[row].as_py()) or ""

    def __iter__(self) -> Iterator[str]:
        if self._indices is not None:
            yield from (self[i] for i in range(len(self)))
            return
        for value in _values(self._column):
            yield scalar_text(value) or ""

    def take(self, indices: NDArray[np.int64]) -> Texts:
        """A view on some of the texts."""
        return Texts(self._column, indices if self._indices is None else self._indices[indices])


@dataclass(frozen=True, eq=False)
class Rows:
    """Examples of one task from one source.

    Args:
        texts: exactly as in the source; of pictures, the whole paths of their files.
        pairs: second texts, or None.
        labels: as text, as `labels.Reader` gives it, or None when they are not known.
        ids: 32 hex digits each; the content, then a number that tells equal rows apart.
        source: file, folder or data set id.
        numbers: 1-based line (or row) in the source.
        unit: what `numbers` count, 'line', 'row' or 'picture'.
        groups: values of the group column, or None.
        times: values of the time column, or None.
        keys: what `text_keys` answers, where it is known already.
        reads: what a row is, a text or a picture.
        flaws: of pictures, why each cannot be read, None where it can.
        columns: other columns that were asked for, by name; None where a row has no value.
        own: of rows that were put together, the columns that they were put together from.
    """

    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: list[str] | None
    ids: list[str]
    source: str
    numbers: NDArray[np.int64]
    unit: str = "line"
    groups: list[str] | None = None
    times: list[str | float] | None = None
    keys: Keys | None = None
    reads: Reads = "text"
    flaws: list[str | None] | None = None
    columns: dict[str, list[str | None]] = field(default_factory=dict)
    own: OwnColumns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def place(self, index: int) -> str:
        """For people: 'line 17 of tickets.csv', or 'daisy/1.jpg of flowers'."""
        if self.unit == PICTURE:
            return f"{os.path.relpath(self.texts[index], self.source)} of {self.source}"
        return f"{self.unit} {int(self.numbers[index])} of {self.source}"

    def places(self, indices: Indices) -> str:
        """For people: where the first five of these rows are, and how many more there are."""
        first = ", ".join(self.place(int(index)) for index in indices[:5])
        return first if len(indices) <= 5 else f"{first} and {len(indices) - 5} more"

    def refuse_flaws(self) -> None:
        """Raise DataError when a picture cannot be read, naming the first; else do nothing."""
        for index, flaw in enumerate(self.flaws or ()):
            if flaw is not None:
                raise DataError(
                    f"the picture {self.texts[index]} cannot be read: {flaw}",
                    fix="save it again as JPEG or PNG, or take it out",
                )

    def text_keys(self) -> Keys:
        """One key for each row; rows have the same where their texts count as the same.

        Of pictures: where the content of their files is the same.
        """
        if self.keys is not None:
            return self.keys
        if self.reads == "image":
            found = (picture_key(look.sha256) for look in look_at(self.texts))
            return np.fromiter(found, KEY, len(self))
        rows = zip(self.texts, self.pairs or repeat(None), strict=False)
        return np.fromiter((text_key(text, pair) for text, pair in rows), KEY, len(self))

    def take(self, indices: Indices) -> Rows:
        """The rows at these 0-based indices, in this order; texts stay where they are."""
        at = np.asarray(indices, dtype=np.int64)
        return Rows(
            texts=_take_texts(self.texts, at),
            pairs=None if self.pairs is None else _take_texts(self.pairs, at),
            labels=None if self.labels is None else [self.labels[i] for i in at],
            ids=[self.ids[i] for i in at],
            source=self.source,
            numbers=self.numbers[at],
            unit=self.unit,
            groups=None if self.groups is None else [self.groups[i] for i in at],
            times=None if self.times is None else [self.times[i] for i in at],
            keys=None if self.keys is None else self.keys[at],
            reads=self.reads,
            flaws=None if self.flaws is None else [self.flaws[i] for i in at],
            columns={name: [each[i] for i in at] for name, each in self.columns.items()},
            own=self.own,
        )


def in_chunks(
    texts: Iterable[str], pairs: Iterable[str] | None = None
) -> Iterator[tuple[list[str], list[str] | None]]:
    """Texts (and pairs) a few at a time: at most 1,000, of about a million characters."""
    some: list[str] = []
    others: list[str] = []
    characters = 0
    for text, pair in zip(texts, repeat("") if pairs is None else pairs, strict=pairs is not None):
        some.append(text)
        others.append(pair)
        characters += len(text) + len(pair)
        if len(some) == CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield some, None if pairs is None else others
            some, others, characters = [], [], 0
    if some:
        yield some, None if pairs is None else others


class Joined(Lazy):
    """The two texts of each row as one."""

    def __init__(self, texts: Sequence[str], pairs: Sequence[str]) -> None:
        self._texts, self._pairs = texts, pairs

    def __len__(self) -> int:
        return len(self._texts)

    def _at(self, index: int) -> str:
        return f"{self._texts[index]} [SEP] {self._pairs[index]}"


def joined_texts(rows: Rows) -> Sequence[str]:
    """One text per row, for models that read no pairs."""
    return rows.texts if rows.pairs is None else Joined(rows.texts, rows.pairs)


def _take_texts(texts: Sequence[str], at: NDArray[np.int64]) -> Sequence[str]:
    return texts.take(at) if isinstance(texts, Texts) else [texts[i] for i in at]


def build_rows(
    table: Table,
    columns: Columns,
    *,
    group: str | None = None,
    time: str | None = None,
    beside: Sequence[str] = (),
) -> Rows:
    """The rows of a table, once it is known which column is which.

    Args:
        group, time: names of the columns to split by, or None.
        beside: names of columns that are kept with the rows.
    Raises:
        DataError: a row without label, group or time (with its line), or no such column.
    """
    of_pictures = columns.reads == "image"
    texts = Texts(_column(table, columns))
    pairs = None if columns.text_pair is None else Texts(table.arrow[columns.text_pair])
    labels = None
    if columns.label is not None:
        labels = _labels(table, columns.label, Reader(columns.kind, columns.separator))
    flaws: list[str | None] | None = [] if of_pictures else None
    ids, keys = _ids_and_keys(texts, pairs, labels, flaws, of_form=columns.form is not None)
    return Rows(
        texts=texts,
        pairs=pairs,
        labels=labels,
        ids=ids,
        keys=keys,
        source=table.source,
        numbers=np.arange(1, len(table) + 1) if table.lines is None else table.lines,
        unit=table.unit,
        groups=None if group is None else _filled(table, group, "group"),
        times=None if time is None else _times(table, time),
        reads=columns.reads,
        flaws=flaws,
        columns={name: values_beside(table, columns, name) for name in beside},
        own={} if columns.form is None else columns_of(columns.form.columns, table),
    )


def _column(table: Table, columns: Columns) -> pa.ChunkedArray:
    """What is read of each row: its text, where its picture is, or its form as JSON."""
    if columns.form is not None:
        return pa.chunked_array([pa.array(columns.form.texts(table), pa.large_string())])
    if columns.reads == "image":
        return picture_paths(table, columns.text)
    return table.arrow[columns.text]


def _labels(table: Table, column: str, reader: Reader) -> list[str]:
    labels: list[str] = []
    known: dict[str, str] = {}
    for value in _values(table.arrow[column]):
        label = reader(value, table.where(len(labels)), column)
        labels.append(known.setdefault(label, label))  # one object for all rows of a label
    return labels


def _filled(table: Table, column: str, part: str) -> list[str]:
    """The values of a column in which every row must have one."""
    if column not in table.columns:
        raise DataError(
            f"{table.source} has no column {column!r} to take the {part} from "
            f"(found: {', '.join(table.columns)})",
            fix=f"pass --data.{part} NAME with one of the columns found",
        )
    if table.is_nested(column):
        raise DataError(
            f"the column {column!r} of {table.source} holds lists or objects, not a {part}",
            fix=f"pass --data.{part} NAME with one value for each row",
        )
    values: list[str] = []
    for value in _values(table.arrow[column]):
        shown = value.isoformat() if isinstance(value, date) else scalar_text(value)
        if shown is None or not shown.strip():
            raise DataError(
                f"{table.where(len(values))} has no {part} (column {column!r})",
                fix="fill it in, or remove the row",
            )
        values.append(shown)
    return values


def _times(table: Table, column: str) -> list[str | float]:
    values = _filled(table, column, "time")
    kind = table.arrow.schema.field(column).type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return [float(value) for value in values]
    return list(values)


def content_digits(text: str, pair: str | None, label: str | None) -> str:
    """The part of a row id that says what the row holds; of a picture, `text` is its hash."""
    digest = hashlib.sha256()
    for part in (text, pair, label):
        data = b"" if part is None else part.encode("utf-8", "surrogatepass")
        digest.update(b"-" if part is None else b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()[:CONTENT_DIGITS]


def _ids_and_keys(
    texts: Texts,
    pairs: Texts | None,
    labels: list[str] | None,
    flaws: list[str | None] | None,
    *,
    of_form: bool = False,
) -> tuple[list[str], Keys]:
    """Row ids and text keys, in one reading of the texts.

    Args:
        flaws: of pictures, a list that gets what is wrong with each; else None.
        of_form: whether rows count as the same where their prompts are.
    """
    seen: Counter[str] = Counter()
    ids = []
    keys = np.zeros(len(texts), KEY)
    others = repeat(None) if pairs is None else pairs
    contents: Iterable[str] = texts if flaws is None else _hashes(texts, flaws)
    for index, (text, pair) in enumerate(zip(contents, others, strict=False)):
        content = content_digits(text, pair, None if labels is None else labels[index])
        key = prompt_of(json.loads(text)) if of_form else text
        keys[index] = text_key(key, pair) if flaws is None else picture_key(text)
        ids.append(f"{content}{seen[content]:08x}")
        seen[content] += 1
    return ids, keys


def _hashes(paths: Iterable[str], flaws: list[str | None]) -> Iterator[str]:
    """The hash of each picture's content; its flaw is added to `flaws`."""
    for look in look_at(paths):
        flaws.append(look.flaw)
        yield look.sha256
