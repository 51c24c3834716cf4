"""Which column is the text or the picture, which the second text, which the label; and why."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tunewright.data.chat import forms
from tunewright.data.label_columns import is_number, mean_characters, task_of_labels
from tunewright.data.labels import separator_of
from tunewright.data.picture_columns import check_pictures, has_usual_name, picture_columns
from tunewright.data.table import Table, scalar_text
from tunewright.errors import DataError
from tunewright.recipe.schema import READS, TASKS, Kind, Reads

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
PICTURES = "image-classification"
_NAMED = "named in the recipe"
_FILE_NAME = re.compile(r"\S+\.\w{2,5}")


@dataclass(frozen=True)
class Columns:
    """The columns of the task, by name, the task, and why each was taken.

    text: what is read: of the task image-classification, the column of pictures; of a form, its
        first column. form: of rows without labels, else None.
    separator: between several labels that are written in one text, or None.
    reasons: by the part that a column plays: text, text_pair, image, label; and of the task.
    """

    text: str
    text_pair: str | None
    label: str | None
    task: str
    separator: str | None
    reasons: dict[str, str]
    form: forms.Form | None = None

    @property
    def kind(self) -> Kind:
        """What a label is in this task."""
        return TASKS[self.task]

    @property
    def reads(self) -> Reads:
        """What a row is in this task."""
        return READS[self.task]

    @property
    def in_recipe(self) -> dict[str, str | None]:
        """The columns by their keys in the recipe."""
        found: dict[str, str | None] = dict.fromkeys(
            ("text", "text_pair", "image", "label", *forms.COLUMNS)
        )
        if self.form is not None:
            return found | dict(self.form.columns)
        found["image" if self.reads == "image" else "text"] = self.text
        return found | {"text_pair": self.text_pair, "label": self.label}


def find_columns(
    table: Table,
    *,
    text: str | None = "auto",
    text_pair: str | None = "auto",
    image: str | None = "auto",
    label: str | None = "auto",
    task: str = "auto",
    need_label: bool = True,
    **parts: str | None,
) -> Columns:
    """The columns that play the parts of text and pair, or of picture, and of label.

    Args:
        text, text_pair, image, label: a name, or 'auto' to find it by name, then by content;
            None for none. parts: the same for those of `forms.COLUMNS`.
        task: as in the recipe; auto to tell it by the columns.
        need_label: False to read rows whose label is not known.
    Raises:
        DataError: no such column, none or several that could be meant, or one of the wrong kind.
    """
    _refuse_missing(table, text=text, text_pair=text_pair, image=image, label=label, **parts)
    if label in ("auto", None) and text_pair in ("auto", None) and image in ("auto", None):
        form = forms.find_form(table, task, {"text": text, **parts})
        if form is not None:
            return _of_form(form, task)
    if label is None:
        raise DataError(
            f"{table.source}: the label is null, which is for texts to write and for preferences",
            fix="pass --data.columns.label NAME, or --task text-generation",
        )
    picture, why_picture = _find_picture(table, text, image, label, task)
    if picture is not None:
        return _of_pictures(
            table, picture, why_picture, label=label, task=task, need_label=need_label
        )
    if text is None:
        raise DataError(
            f"{table.source}: the text is null, and there is no column of pictures "
            f"(found: {', '.join(table.columns)})",
            fix="pass --data.columns.text NAME",
        )
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
        task, reasons["task"] = task_of_labels(table, label_column, values, task)
        separator = separator_of(values) if TASKS[task] == "several" else None
    task = "text-classification" if task == "auto" else task
    return Columns(text, text_pair, label_column, task, separator, reasons)


def _of_form(form: forms.Form, task: str) -> Columns:
    """The columns where rows have no labels."""
    reasons = dict.fromkeys(form.columns, form.reason)
    reasons["task"] = form.reason if task == "auto" else "asked for"
    first = next(iter(form.columns.values()))
    return Columns(first, None, None, form.task, None, reasons, form)


def _of_pictures(
    table: Table, picture: str, why: str, *, label: str, task: str, need_label: bool
) -> Columns:
    """The columns where rows are pictures."""
    reasons = {"text": "the rows are pictures", "text_pair": "the rows are pictures", "image": why}
    column: str | None = label
    if label == "auto":
        column, reasons["label"] = _find_label(table, {picture}, need_label)
    if column == picture:
        raise DataError(
            f"the column {picture!r} of {table.source} is both picture and label",
            fix="pass --data.columns.label NAME with another column",
        )
    reasons["task"] = f"{picture} holds pictures"
    if column is not None and need_label:
        values = _values(table, column)
        task_of_labels(table, column, values, PICTURES)
        reasons["task"] += f", and {column} holds {len(set(map(str, values)))} different values"
    if task != "auto":
        reasons["task"] = "asked for"
    if label != "auto":
        reasons["label"] = _NAMED
    return Columns(picture, None, column, PICTURES, None, reasons)


def _find_picture(
    table: Table, text: str | None, image: str | None, label: str, task: str
) -> tuple[str | None, str]:
    """The column of pictures, and why; None where rows are texts.

    Where nobody says which of the two is meant, a column with a name that texts have is it.
    """
    reads = None if task == "auto" else READS[task]
    if reads == "image" and text not in (None, "auto"):
        raise DataError(
            f"the task is {task}, and the column {text!r} is named as the text",
            fix="pass --data.columns.image NAME in its place",
        )
    if image not in (None, "auto"):
        if reads == "text":
            raise DataError(
                f"the task is {task}, and the column {image!r} is named as the picture",
                fix="set task to image-classification, or pass --data.columns.text NAME in its place",
            )
        check_pictures(table, str(image))
        return image, _NAMED
    if image is None or reads == "text" or text not in (None, "auto"):
        return None, ""
    could = [name for name in picture_columns(table) if name != label]
    meant = reads == "image" or text is None
    if not meant and _by_name(table, TEXT_NAMES, {label, *could}) is not None:
        return None, ""
    if len(could) == 1 or (could and has_usual_name(could[0])):
        return could[0], f"{could[0]} holds pictures, or paths of such"
    if could or meant:
        shown = f"; it could be {' or '.join(could[:4])}" if could else ""
        raise DataError(
            f"{table.source}: it is not clear which column is the picture{shown} "
            f"(found: {', '.join(table.columns)})",
            fix="pass --data.columns.image NAME",
        )
    return None, ""


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
            if values and not all(is_number(v) or _FILE_NAME.fullmatch(v) for v in values):
                lengths[column] = mean_characters(values)
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
