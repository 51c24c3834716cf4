"""Rows that one model gets right and another does not, and the other way round, to count and read.

N rows, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.data.chat.conversation import shown
from tunewright.data.rows import Rows, joined_texts
from tunewright.evaluation.metrics import kind_of
from tunewright.evaluation.one_label import OneLabel
from tunewright.evaluation.preferences import Preferences
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.several_labels import SeveralLabels
from tunewright.recipe.schema import Kind

SHOWN_ROWS = 20
Pair = tuple[Floats, Floats]
"""Answers (N, K) of a model, and of the one that it is held against."""


@dataclass(frozen=True)
class Told:
    """Each row of one model: whether it is right, its loss, and what was answered, in words."""

    right: NDArray[np.bool_]
    loss: Floats
    answered: Callable[[int], str]
    label: Callable[[int], str]


def changed(pair: Pair, labels: NDArray[Any]) -> tuple[list[int], list[int]] | tuple[None, None]:
    """Rows that only the first model gets right, and those that only the other does.

    Each begins with the row whose loss differs most. None where rows are not right or wrong.

    Args:
        labels: see `metrics`.
    """
    if kind_of(labels) not in _TOLD:
        return None, None
    ours, theirs = (_told(each, labels, ()) for each in pair)
    gain = theirs.loss - ours.loss
    fixed, broken = ours.right & ~theirs.right, theirs.right & ~ours.right
    return _ordered(fixed, -gain), _ordered(broken, gain)


def to_read(
    some: Sequence[int], pair: Pair, labels: NDArray[Any], names: Sequence[str], rows: Rows
) -> list[dict[str, Any]]:
    """The first 20 of these rows.

    Args:
        some: row numbers. names: of the outputs. rows: N.
    Returns:
        [{"text" or "image", "place", "label", "answer", "other"}]: what is right, what the first
        model says, and what the other does.
    """
    ours, theirs = (_told(each, labels, names) for each in pair)
    texts, form = joined_texts(rows), rows.reads in ("chat", "preference")
    return [
        {
            ("image" if rows.reads == "image" else "text"): shown(texts[row])
            if form
            else texts[row],
            "place": rows.place(row),
            "label": ours.label(row),
            "answer": ours.answered(row),
            "other": theirs.answered(row),
        }
        for row in some[:SHOWN_ROWS]
    ]


def counted(
    pair: Pair, labels: NDArray[Any], names: Sequence[str], rows: Rows
) -> dict[str, Any] | None:
    """Both kinds of rows, counted, and some to read; None where rows are not right or wrong."""
    fixed, broken = changed(pair, labels)
    if fixed is None or broken is None:
        return None
    return {
        "num_fixed": len(fixed),
        "num_broken": len(broken),
        "fixed": to_read(fixed, pair, labels, names, rows),
        "broken": to_read(broken, pair, labels, names, rows),
    }


def _ordered(rows: NDArray[np.bool_], by: Floats) -> list[int]:
    found = np.flatnonzero(rows)
    return [int(row) for row in found[np.argsort(by[found], kind="stable")]]


def _told(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Told:
    return _TOLD[kind_of(labels)](answers, labels, names)


def _one_label(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Told:
    rows = OneLabel(answers, labels)
    return Told(
        rows.correct,
        rows.loss,
        lambda row: names[int(rows.predicted[row])],
        lambda row: names[int(rows.label[row])],
    )


def _several_labels(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Told:
    rows = SeveralLabels(answers, labels)

    def listed(which: NDArray[np.bool_]) -> str:
        return ", ".join(names[k] for k in np.flatnonzero(which).tolist()) or "none"

    return Told(
        (rows.predicted == rows.label).all(axis=1),
        rows.loss.mean(axis=1),
        lambda row: listed(rows.predicted[row]),
        lambda row: listed(rows.label[row]),
    )


def _preference(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Told:
    margin = Preferences(answers, labels).margin
    return Told(
        margin > 0,
        -margin,
        lambda row: "chosen" if margin[row] > 0 else "the other one",
        lambda row: "chosen",
    )


_TOLD: dict[Kind, Callable[[Floats, NDArray[Any], Sequence[str]], Told]] = {
    "one": _one_label,
    "several": _several_labels,
    "preference": _preference,
}
