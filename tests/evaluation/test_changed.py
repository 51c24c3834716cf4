"""Rows fixed and broken: counted, ordered by how much differs, and with both answers to read."""

from __future__ import annotations

import numpy as np

from plain_rows import plain_rows
from tunewright.evaluation.changed import changed, counted, to_read
from tunewright.evaluation.decided import decided

ROWS = plain_rows([f"text {row}" for row in range(4)])
LABELS = np.array([0, 1, 0, 1])
OURS = np.array([[0.6, 0.4], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]])
THEIRS = np.array([[0.4, 0.6], [0.9, 0.1], [0.8, 0.2], [0.2, 0.8]])


def test_the_row_that_differs_most_comes_first() -> None:
    assert changed((OURS, THEIRS), LABELS) == ([1, 0], [2])
    assert changed((OURS, OURS), LABELS) == ([], [])


def test_both_answers_stand_beside_what_is_right() -> None:
    found = counted((OURS, THEIRS), LABELS, ("no", "yes"), ROWS)
    assert found is not None
    assert (found["num_fixed"], found["num_broken"]) == (2, 1)
    assert found["broken"] == [
        {
            "text": "text 2",
            "place": "line 3 of rows.csv",
            "label": "no",
            "answer": "yes",
            "other": "no",
        }
    ]


def test_several_labels_are_right_when_all_of_them_are() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], np.float32)
    ours, theirs = labels * 0.8 + 0.1, np.full((4, 2), 0.2)
    assert changed((ours, theirs), labels) == ([1, 0, 3], [])
    (row,) = to_read([2], (ours, theirs), labels, ("a", "b"), ROWS)
    assert (row["label"], row["answer"]) == ("none", "none")


def test_thresholds_decide_what_is_right() -> None:
    fixed, broken = changed((decided(OURS, np.array([0.25, 0.75])), OURS), LABELS)
    assert (fixed, broken) == ([2], [])


def test_numbers_are_not_right_or_wrong() -> None:
    numbers = np.linspace(0, 1, 4)
    assert changed((numbers[:, None], numbers[:, None]), numbers) == (None, None)
    assert counted((numbers[:, None], numbers[:, None]), numbers, ("x",), ROWS) is None
