"""The linear probe: the last linear layer of the head, solved instead of learned step by step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

STRENGTHS = (0.0003, 0.001, 0.003, 0.01)
ITERATIONS = 40
FOLDS = 3
MOST_ROWS_FOR_CHOICE = 1000
SMALLEST_SCALE = 0.1  # a head of zeros would hand no gradient down
HALVINGS = 12


def solve(
    features: np.ndarray, labels: np.ndarray, num_labels: int, *, balanced: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of a multinomial logistic regression on standardised features.

    Args:
        features: float (rows, width).
        labels: int (rows), every label at least once or the label keeps a bias far below.
    Returns:
        (weights (labels, width), biases (labels)) that apply to the features as given. The
        penalty is the best of four by log-loss on a third of the rows that was left out. The
        scores are then shrunk until the log-loss on the rows themselves is as large as that: a
        head that knows its rows by heart has little left to teach the blocks below.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads take several times as long for so little work
        return _solve(features, labels, num_labels, balanced=balanced, seed=seed)


def _solve(
    features: np.ndarray, labels: np.ndarray, num_labels: int, *, balanced: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    centre, spread = features.mean(0), features.std(0) + 1e-6
    scaled = ((features - centre) / spread).astype(np.float32)

    def fit(rows: np.ndarray, strength: float) -> LogisticRegression:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged is near enough for a start
            return LogisticRegression(
                C=strength,
                max_iter=ITERATIONS,
                tol=1e-3,
                class_weight="balanced" if balanced else None,
            ).fit(scaled[rows], labels[rows])

    strength, honest_loss = _choose(scaled, labels, fit, seed)
    model = fit(np.arange(len(labels)), strength)
    weights = np.zeros((num_labels, features.shape[1]))
    biases = np.full(num_labels, -10.0)
    if len(model.classes_) == 2:  # one row of numbers stands for both labels
        weights[model.classes_] = np.concatenate([-model.coef_, model.coef_]) / 2
        biases[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weights[model.classes_], biases[model.classes_] = model.coef_, model.intercept_
    weights, biases = weights / spread, biases - (weights / spread) @ centre
    scale = _shrink(features @ weights.T + biases, labels, honest_loss)
    return weights * scale, biases * scale


def _choose(
    scaled: np.ndarray, labels: np.ndarray, fit: Callable[[np.ndarray, float], Any], seed: int
) -> tuple[float, float]:
    """The strength with the smallest log-loss on rows that were left out, and that log-loss."""
    order = np.random.default_rng(seed).permutation(len(labels))[:MOST_ROWS_FOR_CHOICE]
    folds = np.array_split(order, FOLDS)
    left_out, training = folds[0], np.concatenate(folds[1:])
    if len(np.unique(labels[training])) < 2:
        return STRENGTHS[1], 0.0
    losses = []
    for strength in STRENGTHS:
        model = fit(training, strength)
        known = np.isin(labels[left_out], model.classes_)
        chances = model.predict_log_proba(scaled[left_out][known])
        at = np.searchsorted(model.classes_, labels[left_out][known])
        losses.append(-chances[np.arange(len(at)), at].mean())
    best = int(np.argmin(losses))
    return STRENGTHS[best], float(losses[best])


def _shrink(scores: np.ndarray, labels: np.ndarray, honest_loss: float) -> float:
    """The factor, from 0.1 to 1, at which scores (rows, labels) have this mean log-loss."""
    from scipy.special import log_softmax

    def missing(scale: float) -> float:
        chances = log_softmax(scores * scale, axis=1)
        return honest_loss + float(chances[np.arange(len(labels)), labels].mean())

    if missing(1.0) <= 0:
        return 1.0
    low, high = SMALLEST_SCALE, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if missing(middle) > 0 else (middle, high)
    return high
