"""Logistic regression on any features, its penalty chosen by the rows themselves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tunewright.evaluation.scored import Floats, Ints

FEW_ROWS = 300
SMALL_WORK = 20_000  # rows x classes up to which the penalty is chosen by cross-validation
PENALTIES = (1.0, 10.0, 100.0)  # inverse strength, scikit-learn's C

Model = Callable[[Any], Floats]
"""Features to answers."""


def fit_one_label(
    features: Any,
    labels: Ints,
    num_classes: int,
    *,
    seed: int,
    penalties: tuple[float, float, float] = PENALTIES,
) -> Model:
    """A model that gives each row the probabilities of its classes.

    Args:
        features: N rows, dense or sparse. labels: int (N). num_classes: C.
        seed: of what is left out to choose the penalty.
        penalties: to choose from where rows are few; else the one in the middle.
    Returns:
        features → float64 (rows, C).
    """
    model = regression(features, labels, _penalty(features, labels, num_classes, seed, penalties))
    rare = 1.0 / (len(labels) + num_classes)  # probability of a class that training never showed

    def answer(given: Any) -> Floats:
        full = np.full((given.shape[0], num_classes), rare)
        full[:, model.classes_] = model.predict_proba(given)
        return np.asarray(full / full.sum(axis=1, keepdims=True))

    return answer


def regression(features: Any, labels: Ints, penalty: float) -> Any:
    """Logistic regression, stopped after 60 steps: what is left would not change an answer."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=60, tol=1e-3).fit(features, labels)


def _penalty(
    features: Any,
    labels: Ints,
    num_classes: int,
    seed: int,
    penalties: tuple[float, float, float],
) -> float:
    """The C with the best accuracy on a third left out, or the middle one for larger data.

    Of few rows each third is left out in turn.
    """
    if len(labels) * num_classes > SMALL_WORK or len(labels) < 30:
        return penalties[1]
    thirds = np.random.default_rng(seed).permutation(len(labels)) % 3
    turns = 3 if len(labels) < FEW_ROWS else 1
    return max(penalties, key=lambda penalty: _right_on(features, labels, thirds, turns, penalty))


def _right_on(features: Any, labels: Ints, thirds: Ints, turns: int, penalty: float) -> int:
    """Rows right when each of the first `turns` thirds is answered by a model of the others."""
    right = 0
    for third in range(turns):
        rest, held = thirds != third, thirds == third
        if len(np.unique(labels[rest])) < 2:
            continue
        model = regression(features[rest], labels[rest], penalty)
        right += int((model.predict(features[held]) == labels[held]).sum())
    return right
