"""One temperature makes shares true, and changes no label."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from tunewright.backends.answers import Answers
from tunewright.backends.calibration import temperature

DRAWN = np.random.default_rng(0)


def drawn(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (rows, 4), and labels that come as often as their shares say."""
    scores = 2 * DRAWN.normal(size=(rows, 4))
    shares = softmax(scores, axis=1)
    return scores, (DRAWN.random((rows, 1)) > shares.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("sure", [0.4, 1.0, 3.0])
def test_the_temperature_is_how_much_too_sure_the_scores_are(sure: float) -> None:
    scores, labels = drawn(4000)
    assert temperature(softmax(sure * scores, axis=1), labels, "one") == pytest.approx(
        sure, rel=0.1
    )


def test_the_temperature_of_several_labels_is_found_too() -> None:
    scores = 2 * DRAWN.normal(size=(3000, 4))
    targets = (DRAWN.random(scores.shape) < expit(scores)).astype(np.float32)
    assert temperature(expit(2.5 * scores), targets, "several") == pytest.approx(2.5, rel=0.1)


def test_few_rows_and_numbers_have_none() -> None:
    scores, labels = drawn(49)
    assert temperature(softmax(9 * scores, axis=1), labels, "one") == 1.0
    assert temperature(np.ones((100, 1)), np.ones(100), "number") == 1.0


def test_shares_of_nothing_and_of_everything_have_a_temperature() -> None:
    labels = np.arange(100) % 2
    said = np.eye(2)[np.where(np.arange(100) < 90, labels, 1 - labels)]
    assert 1.0 < temperature(said, labels, "one") <= 20.0


def test_a_calibrated_answer_has_the_label_it_had() -> None:
    scores, labels = drawn(500)
    before = Answers("one")
    after = before.calibrated(before.of(5 * scores), labels)
    assert after.spread == pytest.approx(0.2, rel=0.3)
    assert (after.of(5 * scores).argmax(1) == scores.argmax(1)).all()
    assert after.of(5 * scores).max() < before.of(5 * scores).max()
