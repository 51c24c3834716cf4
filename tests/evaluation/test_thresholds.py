"""Thresholds: fitted where they help, one half where they cannot, and asked by every score."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.evaluation.decided import chosen, decided, limits_of
from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.metrics import score
from tunewright.evaluation.one_label import per_class
from tunewright.evaluation.thresholds import change, fitted
from tunewright.evaluation.verdict import mcnemar

NAMES = ("no", "yes")


def two_classes(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One row in ten is of the second class, and true shares of it are seldom above one half."""
    draw = np.random.default_rng(seed)
    share = draw.beta(0.6, 5.0, rows)
    return np.stack([1 - share, share], axis=1), (draw.random(rows) < share).astype(np.int64)


def several(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    shares = np.stack([draw.beta(a, 4.0, rows) for a in (0.5, 1.0, 4.0)], axis=1)
    return shares, (draw.random((rows, 3)) < shares).astype(np.float32)


@pytest.mark.parametrize("metric", ["macro_f1", "mcc"])
def test_a_threshold_helps_on_rows_that_it_was_not_fitted_on(metric: str) -> None:
    limits = fitted(metric, *two_classes(1500, 0), seed=0)
    assert limits[1] < 0.45
    assert limits.sum() == pytest.approx(1)
    shares, labels = two_classes(3000, 1)
    assert score(metric, decided(shares, limits), labels) > score(metric, shares, labels) + 0.03


def test_several_labels_have_one_threshold_each_for_macro_f1_and_one_together_else() -> None:
    shares, labels = several(1500, 0)
    each, together = (fitted(m, shares, labels, seed=0) for m in ("macro_f1", "micro_f1"))
    assert len(set(each.tolist())) > 1
    assert len(set(together.tolist())) == 1
    more, truth = several(3000, 1)
    for metric, limits in (("macro_f1", each), ("micro_f1", together)):
        assert score(metric, decided(more, limits), truth) > score(metric, more, truth)


def test_few_rows_and_rare_labels_keep_one_half() -> None:
    shares, labels = two_classes(49, 0)
    assert fitted("macro_f1", shares, labels, seed=0).tolist() == [0.5, 0.5]
    shares, labels = several(400, 0)
    labels[:, 0] = 0
    labels[:9, 0] = 1
    assert fitted("macro_f1", shares, labels, seed=0)[0] == 0.5


def test_true_shares_are_no_less_accurate_at_one_half() -> None:
    shares, labels = two_classes(2000, 3)
    limits = fitted("accuracy", shares, labels, seed=0)
    assert 0.3 < limits[1] < 0.7


def test_every_score_asks_the_thresholds_and_shares_stay() -> None:
    shares, labels = two_classes(300, 2)
    answers = decided(shares, np.array([0.8, 0.2]))
    assert chosen(answers).tolist() == (shares[:, 1] >= 0.2).astype(int).tolist()
    assert limits_of(answers[labels == 1]) is not None
    assert score("log_loss", answers, labels) == score("log_loss", shares, labels)
    right = float((chosen(answers) == labels).mean())
    assert score("accuracy", answers, labels) == pytest.approx(right)
    found = bootstrap(["accuracy"], answers, labels, resamples=100)
    assert found["accuracy"]["value"] == pytest.approx(right)
    assert per_class(answers, labels) != per_class(shares, labels)
    assert mcnemar(answers, answers, labels) == 1.0 > mcnemar(answers, shares, labels)


def test_one_half_answers_as_no_threshold_does() -> None:
    shares, labels = two_classes(300, 4)
    found = change("macro_f1", decided(shares, np.array([0.5, 0.5])), labels, NAMES)
    assert found is not None
    assert (found["rows_changed"], found["at_half"]) == (0, found["at_thresholds"])
    assert change("macro_f1", shares, labels, NAMES) is None
