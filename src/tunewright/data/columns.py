"""Which column is the text, which the second text, which the label; with the reasons."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.labels import is_list, separator_of
from tunewright.data.table import Table, scalar_text
from tunewright.errors import DataError
from tunewright.recipe.schema import TASKS, Kind

_TEXT_WORDS = (
    "text sentence review content message tweet utterance question comment body document query "
    "sentence1 premise question1 text_a text1 input sms post title headline description"
)
TEXT_NAMES = tuple(_TEXT_WORDS.split())
_LABEL_WORDS = (
    "label labels category class intent sentiment target label_name label_text emotion topic tag "
    "spam ham_spam is_spam categories classes intents tags rating stars score valence y output"
)
LABEL_NAMES = tuple(_LABEL_WORDS.split())
PAIR_NAMES = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("text", "text_pair"),
    ("question", "sentence"),
    ("question", "passage"),
)
LIKE = 0.7  # a mistyped name is; another word is not
SAMPLE_ROWS = 5_000
FREE_TEXT_CHARACTERS = 60
_NAMED = "named in the recipe"
_FILE_NAME = re.compile(r"\S+\.\w{2,5}")


@dataclass(frozen=True)
class Columns:
    """The columns of the task, by name, the task, and why each was taken.

    separator: between several labels that are written in one text, or None.
    """

    text: str
    text_pair: str | None
    label: str | None
    task: str
    separator: str | None
    reasons: dict[str, str]

    @property
    def kind(self) -> Kind:
        """What a label is in this task."""
        return TASKS[self.task]


def find_columns(
    table: Table,
    *,
    text: str = "auto",
    text_pair: str | None = "auto",
    label: str = "auto",
    task: str = "auto",
    need_label: bool = True,
) -> Columns:
    """The columns that play the parts of text, pair and label.

    Args:
        text, text_pair, label: a name, or 'auto' to find it by name, then by content.
        task: as in the recipe; auto to tell it by the labels.
        need_label: False to read rows whose label is not known.
    Raises:
        DataError: no such column, none or several that could be meant, or one of the wrong kind.
    """
    _refuse_missing(table, text=text, text_pair=text_pair, label=label)
    reasons: dict[str, str] = {}
    named = {name for name in (text, text_pair, label) if name is not None and name != "auto"}
    text, text_pair = _texts(table, text, text_pair, named, reasons)
    if label != "auto":
        label_column: str | None = label
        reasons["label"] = _NAMED
    else:
        label_column, why = _find_label(table, {text, text_pair or text}, need_label)
        reasons |= {"label": why} if label_column else {}
    if label_column in (text, text_pair) and label_column is not None:
        raise DataError(
            f"the column {label_column!r} of {table.source} is both text and label",
            fix="pass --data.columns.label NAME with another column",
        )
    separator = None
    if label_column is not None and need_label:
        values = _values(table, label_column)
        task, reasons["task"] = _task(table, label_column, values, task)
        separator = separator_of(values) if TASKS[task] == "several" else None
    task = "text-classification" if task == "auto" else task
    return Columns(text, text_pair, label_column, task, separator, reasons)


def _texts(
    table: Table, text: str, text_pair: str | None, named: set[str], reasons: dict[str, str]
) -> tuple[str, str | None]:
    """The columns of the first and of the second text; the reasons are added."""
    first, second = _pair(table, named) if text == text_pair == "auto" else (None, None)
    if text != "auto":
        reasons["text"] = _NAMED
        second = _partner(table, text, named)
    elif first is not None:
        text, reasons["text"] = first, f"{first} and {second} are a pair by name"
    else:
        label = _by_name(table, LABEL_NAMES, named)
        text, reasons["text"] = _find_text(table, named | {label or ""})
    pair = second if text_pair == "auto" else text_pair
    if pair == text:
        raise DataError(
            f"text and text_pair are both the column {text!r} of {table.source}",
            fix="pass --data.columns.text_pair NAME with another column",
        )
    _check_text(table, text)
    if pair is not None:
        reasons["text_pair"] = _NAMED if text_pair == pair else "a pair by name"
        _check_text(table, pair)
    return text, pair


def _refuse_missing(table: Table, **wanted: str | None) -> None:
    for part, name in wanted.items():
        if name is None or name == "auto" or name in table.columns:
            continue
        near = difflib.get_close_matches(name, table.columns, n=1, cutoff=LIKE)
        raise DataError(
            f"{table.source} has no column {name!r} (found: {', '.join(table.columns)})",
            fix=f"did you mean --data.columns.{part} {near[0]}?"
            if near
            else f"pass --data.columns.{part} NAME with one of the columns found",
        )


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _lower(table: Table) -> dict[str, str]:
    """Column names in lower case with underscores → as they are; the first one wins."""
    names: dict[str, str] = {}
    for name in table.columns:
        names.setdefault(_plain(name), name)
    return names


def _by_name(table: Table, known: Sequence[str], taken: set[str]) -> str | None:
    names = _lower(table)
    return next((names[k] for k in known if k in names and names[k] not in taken), None)


def _pair(table: Table, taken: set[str]) -> tuple[str | None, str | None]:
    names = _lower(table)
    for one, two in PAIR_NAMES:
        if one in names and two in names and not {names[one], names[two]} & taken:
            return names[one], names[two]
    return None, None


def _partner(table: Table, text: str, taken: set[str]) -> str | None:
    names = _lower(table)
    for one, two in PAIR_NAMES:
        if names.get(one) == text and two in names and names[two] not in taken:
            return names[two]
    return None


def _values(table: Table, column: str) -> list[Any]:
    """Values of rows spread over the whole table, at most SAMPLE_ROWS, without nulls."""
    array = table.arrow[column]
    if len(array) > SAMPLE_ROWS:
        step = len(array) // SAMPLE_ROWS
        array = array.take(pa.array(range(0, len(array), step)))
    return [value for value in array.to_pylist() if value is not None]


def _mean_characters(values: list[Any]) -> float:
    return sum(len(v) for v in values) / len(values) if values else 0.0


def _is_string(table: Table, column: str) -> bool:
    kind = table.arrow.schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return (is_text or pa.types.is_string_view(kind)) and not table.is_nested(column)


def _find_text(table: Table, taken: set[str]) -> tuple[str, str]:
    named = _by_name(table, TEXT_NAMES, taken)
    if named is not None:
        return named, f"its name, {named!r}, is one that texts have"
    lengths = {}
    labels = {_plain(name) for name in LABEL_NAMES}
    for column in table.columns:
        if column not in taken and _plain(column) not in labels and _is_string(table, column):
            values = [value for value in _values(table, column) if value]
            if values and not all(_number(v) or _FILE_NAME.fullmatch(v) for v in values):
                lengths[column] = _mean_characters(values)
    ranked = sorted(lengths, key=lambda column: -lengths[column])
    clear = len(ranked) == 1 or (
        len(ranked) > 1 and lengths[ranked[0]] >= max(15.0, 2.5 * lengths[ranked[1]])
    )
    if clear and lengths[ranked[0]] > 0:
        return ranked[0], f"the longest strings, {lengths[ranked[0]]:.0f} characters on average"
    could = f"; it could be {' or '.join(ranked[:4])}" if len(ranked) > 1 else ""
    raise DataError(
        f"{table.source}: it is not clear which column is the text{could} "
        f"(found: {', '.join(table.columns)})",
        fix="pass --data.columns.text NAME",
    )


def _find_label(table: Table, taken: set[str], need: bool) -> tuple[str | None, str]:
    named = _by_name(table, LABEL_NAMES, taken)
    if named is not None:
        return named, f"its name, {named!r}, is one that labels have"
    if not need:
        return None, ""
    could = []
    for column in table.columns:
        if column in taken or table.is_nested(column):
            continue
        values = [scalar_text(value) for value in _values(table, column)]
        kinds = len(set(values))
        if 2 <= kinds <= max(2, min(200, len(values) // 2)):
            could.append((column, kinds))
    if len(could) == 1:
        return could[0][0], f"{could[0][1]} different values in all rows"
    shown = f"; it could be {' or '.join(column for column, _ in could[:4])}" if could else ""
    raise DataError(
        f"{table.source}: it is not clear which column is the label{shown} "
        f"(found: {', '.join(table.columns)})",
        fix="pass --data.columns.label NAME",
    )


def _check_text(table: Table, column: str) -> None:
    kind = table.arrow.schema.field(column).type
    if table.is_nested(column) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        shown = "bytes" if "binary" in str(kind) else "lists or objects"
        raise DataError(
            f"the column {column!r} of {table.source} holds {shown}, expected texts",
            fix="pass --data.columns.text NAME with a column of texts",
        )


def _task(table: Table, column: str, values: list[Any], asked: str) -> tuple[str, str]:
    """The task that these labels are for, and why. Raises DataError where they are for none."""
    nested, measured = table.is_nested(column), _measured(values)
    kinds = len(set(map(str, values)))
    many = len(values) >= 20 and kinds > 20 and kinds > 0.2 * len(values)
    if asked == "auto":
        if values and all(is_list(value) for value in values):
            return "text-multi-label", f"{column} holds a list for each row"
        if measured and many:
            return "text-regression", f"{column} holds {kinds} different decimal numbers"
        asked, why = "text-classification", f"{column} holds {kinds} different values"
    else:
        why = "asked for"
    if TASKS[asked] == "one":
        if measured and many:
            raise DataError(
                f"the column {column!r} of {table.source} holds {kinds} different decimal numbers, "
                "expected a few classes",
                fix="set task to text-regression, or turn the numbers into classes",
            )
        _check_classes(table, column, values)
    elif TASKS[asked] == "number" and nested:
        raise DataError(
            f"the column {column!r} of {table.source} holds lists or objects, expected one number "
            "for each row",
            fix="pass --data.columns.label NAME with one number for each row",
        )
    return asked, why


def _check_classes(table: Table, column: str, values: list[Any]) -> None:
    if table.is_nested(column):
        raise DataError(
            f"the column {column!r} of {table.source} holds lists or objects, "
            "expected one label for each row",
            fix="pass --data.columns.label NAME with one value for each row; or, where rows have "
            "several labels, set task to text-multi-label",
        )
    count, kinds = len(values), len(set(values))
    texts = [value for value in values if isinstance(value, str)]
    length = _mean_characters(texts)
    different = pc.count_distinct(table.arrow[column]).as_py() if count >= 20 else kinds
    wordy = length > FREE_TEXT_CHARACTERS and kinds > 2
    if (count >= 20 and kinds > 0.5 * count and (different > 1000 or kinds > 0.9 * count)) or (
        count >= 20 and wordy
    ):
        raise DataError(
            f"the column {column!r} of {table.source} is free text: {different} different values, "
            f"{length:.0f} characters on average; expected a few classes",
            fix="pass --data.columns.label NAME",
        )


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _measured(values: list[Any]) -> bool:
    """Whether the values are numbers with decimals: measurements, not classes."""
    if not all(_number(value) and not isinstance(value, bool) for value in values):
        return False
    return any(not float(value).is_integer() for value in values)
