"""Intervals hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import KINDS, answers

from tunewright.evaluation import intervals, metrics
from tunewright.recipe.schema import Kind

BY_KIND = [(kind, name) for kind, names in metrics.METRICS.items() for name in names]


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    probabilities, labels = answers(80, 3)
    first, again, other = (
        intervals.bootstrap(["log_loss"], probabilities, labels, resamples=200, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("num_rows", [1, 5, 60])
def test_a_value_lies_within_its_interval(num_rows: int, kind: Kind) -> None:
    given, labels = KINDS[kind](num_rows, 9)
    found = intervals.bootstrap(metrics.METRICS[kind], given, labels, resamples=100)
    assert {name: found[name]["value"] for name in found} == metrics.all_metrics(given, labels)
    for interval in found.values():
        assert interval["low"] <= interval["value"] <= interval["high"]


@pytest.mark.parametrize(("kind", "name"), [pair for pair in BY_KIND if pair[1] != "spearman"])
def test_resampled_metrics_equal_metrics_of_the_resampled_rows(kind: Kind, name: str) -> None:
    """But for the rank correlation, whose ranks are those among all rows."""
    given, labels = KINDS[kind](40, 6)
    sample = np.random.default_rng(3).integers(0, 40, (7, 40))
    alone = [metrics.score(name, given[rows], labels[rows]) for rows in sample]
    together = metrics.scored(given, labels).measure([name], sample)[0]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_the_block_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, labels = answers(30, 3)
    whole = intervals.bootstrap(["mcc"], probabilities, labels, resamples=101)
    monkeypatch.setattr(intervals, "DRAWS_PER_BLOCK", 31)
    assert intervals.bootstrap(["mcc"], probabilities, labels, resamples=101) == whole


def test_ninety_five_of_a_hundred_intervals_hold_the_true_accuracy() -> None:
    generator, truth, held = np.random.default_rng(0), 0.8, 0
    labels = np.zeros(200, dtype=int)
    for trial in range(200):
        right = generator.random(200) < truth
        probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
        found = intervals.bootstrap(["accuracy"], probabilities, labels, resamples=400, seed=trial)
        held += found["accuracy"]["low"] <= truth <= found["accuracy"]["high"]
    assert 0.90 <= held / 200 <= 0.985


def test_a_perfect_score_on_ten_rows_is_not_certain() -> None:
    probabilities, labels = np.tile([0.9, 0.1], (10, 1)), np.zeros(10, dtype=int)
    found = intervals.bootstrap(["accuracy"], probabilities, labels, resamples=100)["accuracy"]
    assert found == {"value": 1.0, "low": pytest.approx(0.722, abs=1e-3), "high": 1.0}


@pytest.mark.parametrize(
    ("kind", "name"), [pair for pair in BY_KIND if pair[1] in intervals.SHARES]
)
def test_answers_that_are_all_right_leave_room_for_a_wrong_one(kind: Kind, name: str) -> None:
    labels = np.arange(10) % 2
    ones = labels[:, None] == [0, 1]
    targets = labels if kind == "one" else ones.astype(np.float32)
    answers = np.where(ones, 0.9, 0.1)
    if kind == "preference":
        answers, targets = np.tile([1.0, 0.0, 0.3], (10, 1)), np.tile([True, False], (10, 1))
    found = intervals.bootstrap([name], answers, targets, resamples=100)[name]
    assert found == {"value": 1.0, "low": pytest.approx(0.722, abs=1e-3), "high": 1.0}


@pytest.mark.parametrize(("kind", "name"), BY_KIND)
def test_a_model_does_not_differ_from_itself(kind: Kind, name: str) -> None:
    given, labels = KINDS[kind](50, 4)
    found = intervals.paired_difference(name, given, given, labels, resamples=100)
    assert found == {"value": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.parametrize(("kind", "name"), BY_KIND)
def test_a_difference_turns_its_sign_when_the_models_change_places(kind: Kind, name: str) -> None:
    ours, labels = KINDS[kind](60, 4)
    theirs = np.roll(ours, 1, axis=0)
    there = intervals.paired_difference(name, ours, theirs, labels, resamples=100)
    back = intervals.paired_difference(name, theirs, ours, labels, resamples=100)
    assert there["value"] == pytest.approx(-back["value"])
    assert there["low"] == pytest.approx(-back["high"])


def test_a_lower_loss_is_a_positive_difference() -> None:
    labels = np.zeros(20, dtype=int)
    sure, unsure = np.tile([0.9, 0.1], (20, 1)), np.tile([0.6, 0.4], (20, 1))
    found = intervals.paired_difference("log_loss", sure, unsure, labels, resamples=100)
    assert found["low"] == pytest.approx(np.log(0.9 / 0.6))


def test_a_higher_level_gives_a_wider_interval() -> None:
    ours, labels = answers(60, 4)
    theirs = np.roll(ours, 1, axis=0)
    usual, wide = (
        intervals.paired_difference("accuracy", ours, theirs, labels, level=level)
        for level in (0.95, 0.99)
    )
    assert wide["low"] < usual["low"]
    assert wide["high"] > usual["high"]
