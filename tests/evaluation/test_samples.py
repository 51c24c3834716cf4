"""Rows to read: the best, the worst, and some that chance picked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tunewright.errors import DataError
from tunewright.evaluation import samples as samples_module
from tunewright.evaluation.generated import Generated
from tunewright.evaluation.samples import pick, samples, shortened
from tunewright.evaluation.written import Written

REFERENCE = "one two three four five six seven eight"
ROWS = [Written(" ".join(REFERENCE.split()[:kept]), REFERENCE) for kept in range(1, 9)]
PROMPTS = [f"count to {kept}" for kept in range(1, 9)]


def test_the_best_and_the_worst_come_first_and_no_row_twice() -> None:
    found = samples("rouge1", Generated(ROWS), PROMPTS, each=2)
    assert [each["why"] for each in found] == ["best"] * 2 + ["worst"] * 2 + ["drawn"] * 2
    assert [each["place"] for each in found[:4]] == ["8", "7", "1", "2"]
    assert len({each["place"] for each in found}) == 6
    assert found[0] == {
        "why": "best",
        "place": "8",
        "prompt": "count to 8",
        "reference": REFERENCE,
        "before": None,
        "after": REFERENCE,
        "score_before": None,
        "score": 1.0,
    }
    json.dumps(found, allow_nan=False)


def test_the_base_model_is_shown_on_the_same_row() -> None:
    before = Generated([Written("six", row.reference) for row in ROWS])
    found = samples("rouge1", Generated(ROWS), PROMPTS, before, each=1)
    assert (found[0]["before"], found[0]["after"]) == ("six", REFERENCE)
    assert found[0]["score_before"] == pytest.approx(2 / 9)


def test_where_less_is_better_the_best_is_the_least() -> None:
    rows = [Written("a b c d " * count, "x") for count in (5, 1, 3)]
    found = samples("repetition", Generated(rows), ["", "", ""], each=1)
    assert [each["place"] for each in found[:2]] == ["2", "1"]


def test_where_all_are_equal_none_is_best() -> None:
    assert {why for why, _ in pick(np.ones(9))} == {"drawn"}


def test_few_rows_are_shown_once() -> None:
    assert sorted(row for _, row in pick(np.array([0.1, 0.9, 0.5]))) == [0, 1, 2]


def test_a_row_without_a_score_is_neither_best_nor_worst() -> None:
    found = pick(np.array([np.nan, 0.2, 0.4, np.nan]), each=5)
    assert [row for why, row in found if why != "drawn"] == [2, 1]
    rows = [Written("1", "no number"), Written("2", "2"), Written("3", "2")]
    shown = samples("number_match", Generated(rows), ["", "", ""])
    assert [each["score"] for each in shown] == [1.0, 0.0, None]


def test_the_same_seed_draws_the_same_rows_and_another_seed_others() -> None:
    drawn = [pick(np.arange(100.0), seed=seed)[-3:] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_tool_calls_are_shown_behind_the_text() -> None:
    call = {"name": "größe", "arguments": {"x": 1}}
    rows = [Written("", "", answer_calls=[call], reference_calls=[call]) for _ in range(2)]
    found = samples("tool_calls", Generated(rows), ["", ""])
    assert json.loads(found[0]["after"]) == call
    assert "größe" in found[0]["reference"]


def test_a_long_text_loses_its_middle() -> None:
    text = "a" * 5_000_000 + "end"
    assert len(shortened(text)) < samples_module.MOST_CHARACTERS + 50
    assert shortened(text).endswith("end")


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="8 answers, 7 prompts do not fit"):
        samples("rouge1", Generated(ROWS), PROMPTS[1:])
    with pytest.raises(DataError, match="7 answers of the base model do not fit"):
        samples("rouge1", Generated(ROWS), PROMPTS, Generated(ROWS[1:]))
