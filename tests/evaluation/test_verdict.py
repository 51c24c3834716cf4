"""The verdict says what the numbers say, in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.evaluation.intervals import Interval
from tunewright.evaluation.verdict import best_baseline, mcnemar, sentence, verdict

LABELS = np.zeros(100, dtype=int)


def right_on(*rows: range) -> np.ndarray:
    """Probabilities of a model that is right, at 0.8, on these of 100 rows."""
    right = np.isin(np.arange(100), [row for part in rows for row in part])
    return np.where(right[:, None], [0.8, 0.2], [0.2, 0.8])


def interval(value: float, low: float, high: float) -> Interval:
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("metric", "difference", "said"),
    [
        (
            "accuracy",
            interval(0.062, 0.047, 0.078),
            "91.4 % accuracy [89.9, 92.8] on 753 validation rows, 6.2 points above tfidf [4.7, 7.8]: fine-tuning was worth it.",
        ),
        (
            "accuracy",
            interval(0.004, -0.009, 0.016),
            "91.4 % accuracy [89.9, 92.8] on 753 validation rows, no difference that 753 rows can show: 0.4 points above tfidf [-0.9, 1.6].",
        ),
        (
            "macro_f1",
            interval(-0.031, -0.046, -0.015),
            "91.4 % macro-F1 [89.9, 92.8] on 753 validation rows, 3.1 points below tfidf [1.5, 4.6]: fine-tuning was not worth it.",
        ),
        (
            "mcc",
            interval(0.062, 0.047, 0.078),
            "0.914 MCC [0.899, 0.928] on 753 validation rows, 0.062 above tfidf [0.047, 0.078]: fine-tuning was worth it.",
        ),
        (
            "log_loss",
            interval(0.062, 0.047, 0.078),
            "0.914 log loss [0.899, 0.928] on 753 validation rows, 0.062 better than tfidf [0.047, 0.078]: fine-tuning was worth it.",
        ),
        (
            "log_loss",
            interval(-0.062, -0.078, -0.047),
            "0.914 log loss [0.899, 0.928] on 753 validation rows, 0.062 worse than tfidf [0.047, 0.078]: fine-tuning was not worth it.",
        ),
        (
            "accuracy",
            None,
            "91.4 % accuracy [89.9, 92.8] on 753 validation rows: no baseline was measured.",
        ),
    ],
)
def test_the_sentence_is_plain(metric: str, difference: Interval | None, said: str) -> None:
    own = interval(0.914, 0.899, 0.928)
    assert sentence(metric, own, difference, "tfidf", rows=753, part="validation") == said


def test_a_clear_gain_over_the_best_baseline_is_worth_it() -> None:
    weak, strong = right_on(range(30)), right_on(range(60))
    found = verdict("accuracy", right_on(range(90)), {"weak": weak, "strong": strong}, LABELS)
    assert found["better_than_baseline"]
    assert found["baseline"] == "strong"
    assert found["difference"]["value"] == pytest.approx(0.3)
    assert 0.2 < found["difference"]["low"] < 0.3 < found["difference"]["high"] < 0.4
    assert found["p_value"] == pytest.approx(2 * 0.5**30)
    assert found["sentence"].startswith("90.0 % accuracy [")
    assert "on 100 validation rows, 30.0 points above strong [" in found["sentence"]


def test_an_equal_model_shows_no_difference() -> None:
    found = verdict("accuracy", right_on(range(50)), {"same": right_on(range(50))}, LABELS)
    assert not found["better_than_baseline"]
    assert found["p_value"] == 1.0
    assert found["sentence"].endswith("no difference that 100 rows can show: the same as same.")


def test_a_gain_of_three_rows_is_no_proof_even_when_no_row_was_lost() -> None:
    found = verdict("accuracy", right_on(range(53)), {"base": right_on(range(50))}, LABELS)
    assert found["p_value"] == pytest.approx(0.25)
    assert not found["better_than_baseline"]
    assert found["difference"]["low"] <= 0


def test_a_worse_model_is_below_the_baseline() -> None:
    found = verdict("macro_f1", right_on(range(40)), {"base": right_on(range(80))}, LABELS)
    assert not found["better_than_baseline"]
    assert found["difference"]["high"] < 0
    assert found["p_value"] is None
    assert " points below base [" in found["sentence"]


def test_a_lower_log_loss_is_better() -> None:
    baselines = {"worst": right_on(range(10)), "best": right_on(range(60))}
    found = verdict("log_loss", right_on(range(90)), baselines, LABELS)
    assert found["baseline"] == "best"
    assert found["better_than_baseline"]
    assert found["difference"]["low"] > 0


def test_a_second_look_widens_the_interval_and_says_so() -> None:
    ours, base = right_on(range(70)), {"base": right_on(range(20, 80))}
    first, second = (verdict("accuracy", ours, base, LABELS, part="test", looks=n) for n in (1, 2))
    assert second["sentence"].startswith(
        "Look 2 at this sealed test; 97.5 % intervals: 70.0 % accuracy ["
    )
    assert "look" not in first["sentence"].lower()
    assert "on 100 test rows" in first["sentence"]
    assert (first["level"], second["level"]) == (0.95, 0.975)
    assert second["difference"]["low"] < first["difference"]["low"]


def test_looks_count_on_the_test_part_alone() -> None:
    found = verdict("accuracy", right_on(range(9)), {}, LABELS, part="validation", looks=4)
    assert found["level"] == 0.95
    assert found["difference"] is None
    assert found["baseline"] is None
    assert not found["better_than_baseline"]


def test_mcnemar_counts_only_rows_that_one_of_the_two_gets_right() -> None:
    from scipy.stats import binomtest

    ours, theirs = right_on(range(50)), right_on(range(12, 55))
    assert mcnemar(ours, theirs, LABELS) == pytest.approx(binomtest(12, 17).pvalue)


def test_the_first_of_equal_baselines_is_the_best() -> None:
    same = right_on(range(5))
    assert best_baseline("accuracy", {"majority": same, "tfidf": same}, LABELS) == "majority"


@pytest.mark.parametrize(("rows", "better"), [(3, False), (5, False), (6, True)])
def test_a_handful_of_rows_shows_nothing_whatever_the_metric(rows: int, better: bool) -> None:
    labels = np.zeros(rows, dtype=np.int64)
    ours = np.tile([0.9, 0.1], (rows, 1))
    theirs = np.tile([0.8, 0.2], (rows, 1))
    found = verdict("log_loss", ours, {"other": theirs}, labels, resamples=100)
    assert found["better_than_baseline"] is better
    assert ("can show" in found["sentence"]) is not better
