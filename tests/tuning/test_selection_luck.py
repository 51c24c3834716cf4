"""How much of a winner's gain is the luck of choosing."""

from __future__ import annotations

import numpy as np

from tunewright.tuning.luck import selection_luck

ROWS, CLASSES = 200, 4


def said(labels: np.ndarray, right: float, seed: int) -> np.ndarray:
    """Answers of which so many are right."""
    random = np.random.default_rng(seed)
    wrong = (labels + random.integers(1, CLASSES, len(labels))) % CLASSES
    chosen = np.where(random.random(len(labels)) < right, labels, wrong)
    return np.eye(CLASSES)[chosen]


def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CLASSES, ROWS)


def test_among_trials_that_are_alike_all_of_the_gain_is_luck() -> None:
    answers = {n: said(labels(), 0.7, n) for n in range(30)}
    found = selection_luck(answers, labels(), "accuracy", default=0, seed=1)
    assert found is not None
    alike = [float((each.argmax(1) == labels()).mean()) for each in answers.values()]
    assert found["luck"] > 0.03
    assert abs(found["held_back"] - np.mean(alike)) < found["luck"]


def test_a_trial_that_is_truly_better_keeps_its_gain() -> None:
    answers = {n: said(labels(), 0.6, n) for n in range(5)} | {9: said(labels(), 0.9, 9)}
    found = selection_luck(answers, labels(), "accuracy", default=0, seed=1)
    assert found is not None
    assert abs(found["luck"]) < 0.01
    assert found["gain"] > 0.2


def test_lower_is_better_turns_the_sign() -> None:
    answers = {n: 0.9 * said(labels(), 0.7, n) + 0.1 / CLASSES for n in range(20)}
    found = selection_luck(answers, labels(), "log_loss", default=0, seed=1)
    assert found is not None
    assert found["chosen"] < found["held_back"]
    assert found["luck"] > 0


def test_of_one_trial_or_a_handful_of_rows_nothing_is_told() -> None:
    one = {0: said(labels(), 0.7, 0)}
    assert selection_luck(one, labels(), "accuracy", default=0, seed=1) is None
    few = {n: said(labels(), 0.7, n)[:10] for n in range(3)}
    assert selection_luck(few, labels()[:10], "accuracy", default=0, seed=1) is None
