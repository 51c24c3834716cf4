"""Laws that scores of written texts keep."""

from __future__ import annotations

import doctest
import time
from types import ModuleType
from typing import get_args

import numpy as np
import pytest

from tunewright.errors import DataError, RecipeError, TunewrightError
from tunewright.evaluation import (
    generated,
    intervals,
    json_answers,
    last_number,
    own_metric,
    samples,
    similarity,
    written,
)
from tunewright.evaluation.generated import Generated
from tunewright.evaluation.written import HIGHER_IS_BETTER, METRICS, SHARES, Asked, Written
from tunewright.recipe import metric_names

ASKED = Asked(pattern=r"\d", own={"own.py:length": lambda answer, reference, row: len(answer)})
NAMES = (*METRICS, *ASKED.own)
LIKE = ("exact_match", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "json_equal", "tool_calls")
SIMILARITY = (*LIKE, "number_match")
TEXTS = (
    "The cat sat on the mat, all 7 days.",
    '{"name": "Ada", "born": 1815}',
    '{"name": "find", "arguments": {"city": "Bonn"}}',
    "Das kostet 1.234,50 €.",
    "北京大学 2024",
    "हिन्दी में १२",
    "42",
    "Yes.",
    "no no no no no no no no 1",
)


def rows(seed: int = 0, num_rows: int = 30) -> list[Written]:
    """Answers that are right, half right, another's, or empty."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(num_rows):
        reference, other = (str(text) for text in generator.choice(TEXTS, 2))
        half = reference[: len(reference) // 2]
        answer = (reference, f"{reference} {other}", half, other, "")[generator.integers(5)]
        found.append(Written(answer, reference, ended=bool(generator.integers(2))))
    return found


@pytest.mark.parametrize(
    "module",
    [generated, json_answers, last_number, own_metric, samples, similarity, written],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_the_examples_in_the_text_are_true(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", SIMILARITY)
def test_an_answer_equal_to_its_reference_scores_one(name: str, text: str) -> None:
    alone = Generated([Written(text, text)])
    assert alone.measure([name])[0, 0] == alone.num_counted(name)


@pytest.mark.parametrize("name", SIMILARITY)
def test_answers_that_are_all_equal_to_their_references_score_one(name: str) -> None:
    assert Generated([Written(text, text) for text in TEXTS]).measure([name])[0, 0] == 1.0


def test_every_score_but_lengths_is_between_zero_and_one() -> None:
    found = Generated(rows(), ASKED).measure(list(HIGHER_IS_BETTER))
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    assert set(METRICS) - set(HIGHER_IS_BETTER) == {"length_characters", "length_words"}


def test_the_order_of_rows_changes_no_score() -> None:
    given = rows()
    turned = [given[row] for row in np.random.default_rng(1).permutation(len(given))]
    one, two = (Generated(each, ASKED).measure(NAMES) for each in (given, turned))
    assert one == pytest.approx(two)


@pytest.mark.parametrize("name", NAMES)
def test_a_resampled_score_is_the_score_of_the_resampled_rows(name: str) -> None:
    given = rows()
    sample = np.random.default_rng(3).integers(0, len(given), (7, len(given)))
    alone = [
        Generated([given[row] for row in drawn], ASKED).measure([name])[0, 0] for drawn in sample
    ]
    assert Generated(given, ASKED).measure([name], sample)[0] == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_alone_has_the_score_that_each_says(name: str) -> None:
    given = Generated(rows(), ASKED)
    alone = [Generated([row], ASKED) for row in given.rows]
    expected = [each.measure([name])[0, 0] if each.num_counted(name) else np.nan for each in alone]
    assert given.each(name).tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("num_rows", [1, 5, 60])
def test_an_interval_holds_its_value(num_rows: int) -> None:
    given = Generated(rows(num_rows=num_rows), ASKED)
    resampled = intervals._resample(lambda s: given.measure(NAMES, s), num_rows, 200, 0)
    for value, values in zip(given.measure(NAMES)[:, 0].tolist(), resampled, strict=True):
        found = intervals.percentile_interval(value, values, 0.95)
        assert found["low"] <= value <= found["high"]


@pytest.mark.parametrize("name", [name for name in SHARES if name != "ends"])
def test_an_empty_answer_scores_nothing(name: str) -> None:
    empty = [Written("", reference) for reference in (TEXTS[0], TEXTS[1], TEXTS[2])]
    expected = 2 / 3 if name == "tool_calls" else 0.0  # none is what two references ask for
    assert Generated(empty, ASKED).measure([name])[0, 0] == pytest.approx(expected)


def test_rows_whose_reference_has_no_such_thing_do_not_count() -> None:
    given = Generated([Written("7", "seven"), Written("7", "= 7.0"), Written("[8]", "[8.0]")])
    assert given.num_counted("number_match") == 2
    assert given.num_counted("json_equal") == 1
    assert given.measure(["number_match", "json_equal"])[:, 0].tolist() == [1.0, 1.0]
    assert given.measure(["json_equal"], np.array([[0, 1, 0]]))[0, 0] == 0.0


def test_white_space_alone_makes_no_other_answer() -> None:
    given = Generated([Written(" a\n b ", "a b"), Written("ab", "a b")])
    assert given.each("exact_match").tolist() == [1.0, 0.0]


def test_repetition_is_the_share_of_runs_that_were_there_before() -> None:
    texts = ["a b c d e f g", "a b c d a b c d", "a b c", "!" * 103, "好" * 14]
    found = Generated([Written(text, "") for text in texts]).each("repetition")
    assert found.tolist() == pytest.approx([0, 1 / 5, 0, 99 / 100, 10 / 11])


def test_lengths_are_means_of_characters_and_words() -> None:
    given = Generated([Written("two words", ""), Written("", ""), Written("北京!", "")])
    assert given.measure(["length_characters", "length_words"])[:, 0].tolist() == [4.0, 4 / 3]


def test_the_format_is_looked_for_anywhere_unless_anchored() -> None:
    answers = [Written(text, "") for text in ("#### 72", "72", "so #### 72")]
    for pattern, share in ((r"#### \d+", 2 / 3), (r"^#### \d+$", 1 / 3)):
        given = Generated(answers, Asked(pattern=pattern))
        assert given.measure(["format_rate"])[0, 0] == pytest.approx(share)


def test_a_very_long_repetition_is_scored_in_seconds() -> None:
    start = time.perf_counter()
    text = "and so on, " * 5_000
    given = Generated([Written(text, "and so on"), Written(text, text)])
    given.measure([name for name in METRICS if name not in ("format_rate", "ends")])
    assert given.each("repetition")[0] > 0.99
    assert time.perf_counter() - start < 20


def test_metrics_that_say_nothing_of_the_rows_are_not_fitting() -> None:
    prose = Generated([Written("a", "Some words."), Written("b", "7 words")])
    left_out = {"json_valid", "json_equal", "number_match", "tool_calls", "format_rate", "ends"}
    assert set(METRICS) - set(prose.fitting()) == left_out
    told = [Written("1", '{"name": "f", "arguments": {"x": 1}}', ended=True)]
    assert set(Generated(told, ASKED).fitting()) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [
        ("blue", "there is no metric 'blue'", DataError),
        ("format_rate", "needs the regular expression", RecipeError),
        ("ends", "of row 2 it is not known", DataError),
    ],
)
def test_what_cannot_be_measured_is_refused(
    name: str, said: str, kind: type[TunewrightError]
) -> None:
    given = Generated([Written("a", "a", ended=True), Written("a", "a")])
    with pytest.raises(kind, match=said) as caught:
        given.measure([name])
    assert str(caught.value).count("\n") == 1


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        Generated([])


def test_a_pattern_that_is_wrong_or_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="not a regular expression"):
        Asked(pattern="(")
    monkeypatch.setattr(written, "PATTERN_TIMEOUT_S", 0.05)
    endless = Generated([Written("a" * 40 + "!", "")], Asked(pattern=r"^(\w|\w\w)+$"))
    with pytest.raises(RecipeError, match=r"took more than 0.05 s on the answer to row 1"):
        endless.measure(["format_rate"])


def test_a_recipe_knows_every_score_that_can_decide() -> None:
    assert set(metric_names.WRITTEN) == set(written.HIGHER_IS_BETTER)
    assert set(metric_names.WRITTEN) <= set(get_args(metric_names.Metric))
