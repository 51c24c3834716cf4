"""What a row's label is, task by task: one of several classes, any number of them, or a number."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright.data.table import scalar_text
from tunewright.errors import DataError
from tunewright.recipe.schema import UNLABELLED, Kind

if TYPE_CHECKING:
    from tunewright.data.rows import Rows

SEPARATORS = ("|", ";", ",")
STRATA = 10  # of equally many rows, where labels are numbers


class Reader:
    """Turns values of the label column into texts that stand for them, the same in every file.

    Args:
        separator: between labels that are written in one text, None for none.
    """

    def __init__(self, kind: Kind, separator: str | None = None) -> None:
        self.kind = kind
        self.separator = separator

    def __call__(self, value: Any, where: str, column: str) -> str:
        """The label, several as a JSON list in order of the alphabet, or the number as written.

        Args:
            where: the row, for people.
        Raises:
            DataError: none, or of another kind.
        """
        if self.kind == "several":
            names = {_one(each, where, column) for each in self._listed(value, where)}
            return json.dumps(sorted(names), ensure_ascii=False)
        label = _one(value, where, column)
        if self.kind == "number" and not _finite(label):
            raise DataError(
                f"{where} has {label[:40]!r} as its label (column {column!r}), expected a number",
                fix="write numbers like 3.25; or set task to text-classification",
            )
        return label

    def _listed(self, value: Any, where: str) -> list[Any]:
        if isinstance(value, str) and is_list(value):
            value = json.loads(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            return []
        if not isinstance(value, str):
            return list(value) if isinstance(value, list) else [value]
        return [each.strip() for each in value.split(self.separator)] if self.separator else [value]


def is_list(value: Any) -> bool:
    """Whether it is a list, or a text that is one in JSON."""
    if not isinstance(value, str):
        return isinstance(value, list)
    try:
        return value.lstrip().startswith("[") and isinstance(json.loads(value), list)
    except ValueError:
        return False


def separator_of(values: Sequence[Any]) -> str | None:
    """What stands between the labels of one text; None where no text has any of `|`, `;`, `,`."""
    texts = [value for value in values if isinstance(value, str)]
    plain = [text for text in texts if not is_list(text)]
    return next((mark for mark in SEPARATORS if any(mark in text for text in plain)), None)


def of_row(label: str, kind: Kind) -> tuple[str, ...]:
    """The classes that a row has; of a number, none."""
    if kind == "several":
        return tuple(json.loads(label))
    return (label,) if kind == "one" else ()


def sorted_labels(labels: Sequence[str], kind: Kind, column: str) -> tuple[str, ...]:
    """Each class once, numbers by size, words by alphabet; of numbers, the column's name.

    >>> sorted_labels(["10", "2", "2"], "one", "y"), sorted_labels(['["b", "a"]'], "several", "y")
    (('2', '10'), ('a', 'b'))
    """
    if kind == "number":
        return (column,)
    if kind in UNLABELLED:
        return ()
    names = {name for label in set(labels) for name in of_row(label, kind)}
    if all(name.lstrip("-").isdigit() and name.isascii() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def targets(rows: Rows, names: tuple[str, ...], kind: Kind) -> np.ndarray:
    """What a model learns of each row.

    Returns:
        int64 (rows), each label's number; float32 (rows, names) of zeros and ones; float64 (rows)
        of numbers; or, of rows without labels, bool (rows): their tokens are what is right; and
        bool (rows, 2): the first answer is preferred, the second is not.
    Raises:
        DataError: a label that is not in training; with its line.
    """
    labels = rows.labels or []
    if kind == "tokens":
        return np.ones(len(rows), dtype=np.bool_)
    if kind == "preference":
        return np.tile(np.array([True, False]), (len(rows), 1))
    if kind == "number":
        return np.array([float(label) for label in labels], dtype=np.float64)
    number = {name: index for index, name in enumerate(names)}
    found = np.zeros((len(labels), len(names)), dtype=np.float32)
    for row, label in enumerate(labels):
        for name in of_row(label, kind):
            if name not in number:
                raise DataError(
                    f"{rows.place(row)} has the label '{name}', which training has not",
                    fix="add rows with this label to the training part, or take the row out",
                )
            found[row, number[name]] = 1
    return found.argmax(1).astype(np.int64) if kind == "one" else found


def counts(labels: Sequence[str], names: tuple[str, ...], kind: Kind) -> list[int]:
    """Rows of each name; where labels are numbers, all."""
    if kind == "number":
        return [len(labels)]
    found = Counter(name for label in labels for name in of_row(label, kind))
    return [found[name] for name in names]


def strata(labels: Sequence[str], kind: Kind) -> list[str]:
    """What a split keeps the shares of: the label; the rarest of several; a tenth of the numbers."""
    if kind == "one":
        return list(labels)
    if kind == "number":
        numbers = np.array([float(label) for label in labels])
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, STRATA + 1)[1:-1]))
        return [str(tenth) for tenth in np.searchsorted(edges, numbers, side="right")]
    sets = [of_row(label, kind) for label in labels]
    often = Counter(name for names in sets for name in names)
    return [min(names, key=lambda name: (often[name], name), default="") for names in sets]


def _one(value: Any, where: str, column: str) -> str:
    if isinstance(value, (list, dict)):
        raise DataError(
            f"{where} has a list or object as a label (column {column!r})",
            fix="write each label as one text or number",
        )
    label = scalar_text(value)
    if label is None or not label.strip() or (label == "nan" and isinstance(value, float)):
        raise DataError(
            f"{where} has no label (column {column!r})", fix="fill the label in, or remove the row"
        )
    return label


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
