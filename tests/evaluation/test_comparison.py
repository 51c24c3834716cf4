"""Two models on the same rows: nothing against itself, and no more certainty than the rows have."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.evaluation.comparison import compared

LABELS = np.arange(60) % 3


def answers(right: int) -> np.ndarray:
    """float (60, 3): sure, and right on the first `right` rows."""
    said = np.where(np.arange(60) < right, LABELS, (LABELS + 1) % 3)
    return np.eye(3)[said] * 0.9 + 0.1 / 3


def test_a_model_is_no_better_than_itself() -> None:
    found = compared("accuracy", (answers(40), answers(40)), LABELS, ("B", "A"))
    assert found["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert (found["fixed"], found["broken"], found["p_value"]) == ([], [], 1.0)
    assert found["sentence"] == "B answers as A does on all 60 rows."


def test_rows_that_one_alone_gets_right_are_named() -> None:
    found = compared("accuracy", (answers(50), answers(30)), LABELS, ("B", "A"))
    assert (found["fixed"], found["broken"]) == (list(range(30, 50)), [])
    assert found["sentence"].startswith("B is 33.3 points of accuracy above A [")


def test_several_comparisons_widen_the_interval() -> None:
    one, five = (
        compared(
            "log_loss", (answers(44), answers(40)), LABELS, ("B", "A"), comparisons=comparisons
        )
        for comparisons in (1, 5)
    )
    assert (one["level"], five["level"]) == (0.95, 0.99)
    assert five["difference"]["low"] < one["difference"]["low"]


def test_three_rows_are_no_difference_that_can_be_shown() -> None:
    found = compared("accuracy", (answers(43), answers(40)), LABELS, ("B", "A"))
    assert found["sentence"].startswith("no difference that 60 rows can show: B is 5.0 points of")
    assert found["difference"]["low"] <= 0


def test_of_numbers_no_row_is_right_or_wrong() -> None:
    numbers = np.linspace(0, 1, 30)
    found = compared("rmse", (numbers[:, None], numbers[:, None] + 0.1), numbers, ("B", "A"))
    assert (found["fixed"], found["broken"], found["p_value"]) == (None, None, None)
    assert found["difference"]["value"] == pytest.approx(0.1)
    assert "better than A" in found["sentence"]
