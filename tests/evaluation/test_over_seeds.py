"""The interval over seeds and rows holds the truth about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.evaluation.over_seeds import mean_over_seeds

ROWS = 200


def runs(draw: np.random.Generator, seeds: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Runs whose own accuracy differs, on rows some of which are hard for all."""
    labels = draw.integers(0, 2, ROWS)
    easy = draw.normal(1.0, 0.8, ROWS)
    found = []
    for _ in range(seeds):
        right = easy + draw.normal(0, 0.25) + draw.normal(0, 0.5, ROWS) > 0
        said = np.where(right, labels, 1 - labels)
        found.append(np.eye(2)[said] * 0.8 + 0.1)
    return found, labels


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_covers_the_true_mean(seeds: int) -> None:
    truth = float(
        np.mean(
            [
                (each.argmax(1) == labels).mean()
                for s in range(200)
                for made, labels in [runs(np.random.default_rng(10_000 + s), 5)]
                for each in made
            ]
        )
    )
    covered = 0
    for trial in range(200):
        answers, labels = runs(np.random.default_rng(trial), seeds)
        found = mean_over_seeds("accuracy", answers, labels, resamples=300, seed=trial)
        covered += found["low"] <= truth <= found["high"]
    assert 0.87 <= covered / 200 <= 0.99


def test_the_same_run_twice_is_no_news_beside_itself() -> None:
    answers, labels = runs(np.random.default_rng(0), 1)
    found = mean_over_seeds("accuracy", answers * 2, labels, against=answers[0])
    assert found == {"value": 0, "low": 0, "high": 0}


def test_seeds_that_differ_widen_the_interval() -> None:
    answers, labels = runs(np.random.default_rng(0), 1)
    worse = np.where(np.arange(ROWS)[:, None] % 4 == 0, 1 - answers[0], answers[0])
    alike = mean_over_seeds("accuracy", answers * 3, labels)
    apart = mean_over_seeds("accuracy", [answers[0], answers[0], worse], labels)
    assert apart["high"] - apart["low"] > 1.2 * (alike["high"] - alike["low"])
