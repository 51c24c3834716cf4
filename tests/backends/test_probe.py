"""The linear probe: it finds what is there, and is no surer of it than rows left out allow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from tunewright.backends import probe


def clouds(rows: int, labels: int, apart: float, width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Features around one centre for each label, `apart` standard deviations from the origin."""
    random = np.random.default_rng(0)
    centres = np.random.default_rng(1).normal(size=(labels, width))
    centres *= apart / np.linalg.norm(centres, axis=1, keepdims=True)
    numbers = np.arange(rows) % labels
    features = centres[numbers] + random.normal(size=(rows, width))
    return 5.0 + 3.0 * features.astype(np.float32), numbers


def log_loss(scores: np.ndarray, numbers: np.ndarray) -> float:
    return -float(log_softmax(scores, axis=1)[np.arange(len(numbers)), numbers].mean())


@pytest.mark.parametrize("labels", [2, 3, 7])
def test_labels_that_lie_apart_are_found(labels: int) -> None:
    features, numbers = clouds(300, labels, 8.0)
    weights, biases = probe.solve(features, numbers, labels, balanced=False, seed=0)
    assert weights.shape == (labels, features.shape[1])
    assert ((features @ weights.T + biases).argmax(1) == numbers).mean() > 0.99


def test_noise_is_not_learned_by_heart() -> None:
    """60 rows of 40 numbers can be fitted perfectly; the head that is given back says: no idea."""
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 40)).astype(np.float32)
    numbers = random.integers(0, 3, 60)
    weights, biases = probe.solve(features, numbers, 3, balanced=False, seed=0)
    assert log_loss(features @ weights.T + biases, numbers) > 0.95 * np.log(3)


def test_the_loss_on_the_rows_is_that_of_rows_left_out() -> None:
    features, numbers = clouds(900, 4, 1.5)
    weights, biases = probe.solve(features[:300], numbers[:300], 4, balanced=False, seed=0)
    scores = features @ weights.T + biases
    seen, new = log_loss(scores[:300], numbers[:300]), log_loss(scores[300:], numbers[300:])
    assert seen == pytest.approx(new, abs=0.1)


def test_shrinking_finds_the_factor_and_never_stretches() -> None:
    scores = np.array([[4.0, 0.0], [0.0, 4.0], [3.0, 0.0]])
    numbers = np.array([0, 1, 0])
    scale = probe._shrink(scores, numbers, 0.3)
    assert 0 < scale < 1
    assert log_loss(scale * scores, numbers) == pytest.approx(0.3, abs=1e-3)
    assert probe._shrink(scores, numbers, 0.001) == 1.0


def test_a_label_without_rows_keeps_a_place() -> None:
    features, numbers = clouds(90, 3, 8.0)
    weights, biases = probe.solve(features, numbers, 5, balanced=True, seed=0)
    answers = (features @ weights.T + biases).argmax(1)
    assert set(answers) == {0, 1, 2}


def test_few_rows_of_which_one_part_holds_a_single_label() -> None:
    features = np.eye(4, dtype=np.float32)
    weights, biases = probe.solve(features, np.array([0, 0, 0, 1]), 2, balanced=False, seed=0)
    assert np.isfinite(weights).all()
    assert np.isfinite(biases).all()


def test_a_head_on_features_that_hardly_differ_stands_dropout() -> None:
    features, numbers = clouds(400, 4, 4.0)
    features = 1.0 + 0.001 * features
    weights, biases = probe.solve(
        features, numbers, 4, balanced=False, seed=0, dropout=probe.DROPOUT
    )
    dropped = features * (np.random.default_rng(0).random(features.shape) > 0.1) / 0.9
    assert log_loss(dropped @ weights.T + biases, numbers) < 2 * np.log(4)
    weights, biases = probe.solve(features, numbers, 4, balanced=False, seed=0)
    assert log_loss(dropped @ weights.T + biases, numbers) > 10 * np.log(4)


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0, 1, 2], [0], [0, 1]])
def test_rows_too_few_to_choose_by_still_have_a_solution(labels: list[int]) -> None:
    features = np.random.default_rng(0).normal(size=(len(labels), 4))
    for seed in range(6):
        weights, biases = probe.solve(features, np.array(labels), 3, balanced=False, seed=seed)
        assert np.isfinite(weights).all()
        assert np.isfinite(biases).all()
        if len(set(labels)) == 1:
            assert (features @ weights.T + biases).argmax(1).tolist() == labels
