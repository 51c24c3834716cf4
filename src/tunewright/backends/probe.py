"""The linear probe: the last linear layer of the head, solved instead of learned step by step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tunewright.backends.answers import answers_for
from tunewright.recipe.schema import Kind

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
DROPOUT = 0.1  # of what enters a head, in most encoders
ITERATIONS = 40
FOLDS = 3
MOST_ROWS_FOR_CHOICE = 1000
SMALLEST_SCALE = 0.1  # a head of zeros would hand no gradient down
HALVINGS = 12
Fit = Callable[[np.ndarray, float], Any]  # rows and strength to a fitted model
Folds = tuple[np.ndarray, np.ndarray]  # rows to judge by, rows to learn from


def solve(
    features: np.ndarray,
    targets: np.ndarray,
    num_labels: int,
    *,
    balanced: bool,
    seed: int,
    has_bias: bool = True,
    views: int = 1,
    dropout: float = 0.0,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of a linear model on standardised features.

    Of a multinomial logistic regression; one for each label where rows have several; or ridge.

    Args:
        features: float (rows, width).
        targets: what `Answers.learned` gives. A class that no row has gets a bias far below.
        has_bias: of the layer that it is for; a number needs no bias where there is none.
        views: of each row: all rows as they are, then all of them changed, and so on.
        dropout: share of each feature that steps will drop. What hardly differs between rows is
            drowned by it, and a head that leans on that would begin with losses of hundreds.
        strengths: to choose from, inverse to the penalty.
    Returns:
        (weights (labels, width), biases (labels)) that apply to the features as given. The
        strength is the best on a third of the rows that was left out. The scores of classes
        are then shrunk until the log-loss on the rows themselves is as large as it was there: a
        head that knows its rows by heart has little left to teach the blocks below.
    """
    from threadpoolctl import threadpool_limits

    noise = dropout / (1 - dropout) * (features**2).mean(0)
    centre, spread = features.mean(0), np.sqrt(features.var(0) + noise) + 1e-6
    if not has_bias and targets.ndim == 1 and targets.dtype.kind == "f":
        centre = np.zeros_like(centre)
    scaled = ((features - centre) / spread).astype(np.float32)
    folds = _folds(len(targets) // views, seed, views)
    with threadpool_limits(1):  # several threads take several times as long for so little work
        if targets.ndim == 2:
            weights, biases = _several(
                scaled, targets, balanced=balanced, folds=folds, strengths=strengths
            )
        elif targets.dtype.kind == "f":
            weights, biases = _number(
                scaled, targets, folds=folds, has_bias=has_bias, strengths=strengths
            )
        else:
            weights, biases = _one(
                scaled, targets, num_labels, balanced=balanced, folds=folds, strengths=strengths
            )
    weights = weights / spread
    return weights, biases - weights @ centre


def fit(
    features: np.ndarray,
    targets: np.ndarray,
    kind: Kind,
    num_labels: int,
    *,
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
) -> Callable[[np.ndarray], np.ndarray]:
    """A probe that answers: features (asked, width) → float64 (asked, labels), as `Answers.of`.

    Args:
        features: float (rows, width). targets: what each row has, by its `kind`.
        strengths: as for `solve`.
    """
    answer = answers_for(targets, kind, has_bias=True)
    learned = answer.learned(targets)
    weights, biases = solve(
        features, learned, num_labels, balanced=False, seed=seed, strengths=strengths
    )
    return lambda asked: answer.of(asked @ weights.T + biases)


def best_strength(features: np.ndarray, labels: np.ndarray, *, seed: int) -> float:
    """What `fit` chooses for rows of one label each.

    Args:
        features: float (rows, width). labels: int64 (rows).
    """
    from threadpoolctl import threadpool_limits

    scaled = ((features - features.mean(0)) / (features.std(0) + 1e-6)).astype(np.float32)

    def fit(rows: np.ndarray, strength: float) -> Any:
        return _logistic(scaled[rows], labels[rows], strength, balanced=False)

    with threadpool_limits(1):
        return _choose(scaled, labels, fit, _folds(len(labels), seed, 1))[0]


def shares(
    features: np.ndarray,
    labels: np.ndarray,
    num_labels: int,
    asked: np.ndarray,
    *,
    seed: int,
) -> np.ndarray:
    """float64 (rows asked, labels): what a probe fitted on some rows answers for others.

    Args:
        features: float (rows, width); `asked` likewise. labels: int64 (rows); one that no row has
            gets a share of 0.
    """
    from threadpoolctl import threadpool_limits

    centre, spread = features.mean(0), features.std(0) + 1e-6
    scaled = ((features - centre) / spread).astype(np.float32)
    answers = np.zeros((len(asked), num_labels))
    known = np.unique(labels)
    if len(known) < 2:
        answers[:, known] = 1.0
        return answers

    def fit(rows: np.ndarray, strength: float) -> Any:
        return _logistic(scaled[rows], labels[rows], strength, balanced=False)

    with threadpool_limits(1):
        strength, _ = _choose(scaled, labels, fit, _folds(len(labels), seed, 1))
        model = fit(np.arange(len(labels)), strength)
        answers[:, model.classes_] = model.predict_proba((asked - centre) / spread)
    return answers


def _one(
    scaled: np.ndarray,
    labels: np.ndarray,
    num_labels: int,
    *,
    balanced: bool,
    folds: Folds,
    strengths: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    def fit(rows: np.ndarray, strength: float) -> Any:
        return _logistic(scaled[rows], labels[rows], strength, balanced=balanced)

    weights = np.zeros((num_labels, scaled.shape[1]))
    biases = np.full(num_labels, -10.0)
    known = np.unique(labels)
    if len(known) < 2:
        biases[known] = 0.0
        return weights, biases
    strength, honest_loss = _choose(scaled, labels, fit, folds, strengths)
    model = fit(np.arange(len(labels)), strength)
    if len(model.classes_) == 2:  # one row of numbers stands for both labels
        weights[model.classes_] = np.concatenate([-model.coef_, model.coef_]) / 2
        biases[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weights[model.classes_], biases[model.classes_] = model.coef_, model.intercept_
    scale = _shrink(scaled @ weights.T + biases, labels, honest_loss)
    return weights * scale, biases * scale


def _several(
    scaled: np.ndarray,
    targets: np.ndarray,
    *,
    balanced: bool,
    folds: Folds,
    strengths: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Each label on its own, two classes; penalty and scale are chosen on the most frequent ones."""
    rows, num_labels = targets.shape
    there = targets.sum(axis=0)
    weights = np.zeros((num_labels, scaled.shape[1]))
    biases = np.log((there + 0.5) / (rows - there + 0.5))
    scale, strength = 1.0, strengths[0]
    known = [k for k in np.argsort(-there, kind="stable").tolist() if 0 < there[k] < rows]
    for place, label in enumerate(known):
        labels = targets[:, label].astype(np.int64)

        def fit(some: np.ndarray, strength: float, labels: np.ndarray = labels) -> Any:
            return _logistic(scaled[some], labels[some], strength, balanced=balanced)

        if place == 0:
            strength, honest_loss = _choose(scaled, labels, fit, folds, strengths)
        model = fit(np.arange(rows), strength)
        weights[label], biases[label] = model.coef_[0], model.intercept_[0]
        if place == 0:
            half = (scaled @ weights[label] + biases[label]) / 2
            scale = _shrink(np.stack([-half, half], axis=1), labels, honest_loss)
    return weights * scale, biases * scale


def _number(
    scaled: np.ndarray,
    targets: np.ndarray,
    *,
    folds: Folds,
    has_bias: bool,
    strengths: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import Ridge

    left_out, training = folds

    def fit(rows: np.ndarray, strength: float) -> Any:
        return Ridge(1 / strength, fit_intercept=has_bias).fit(scaled[rows], targets[rows])

    def error(strength: float) -> float:
        found = fit(training, strength).predict(scaled[left_out])
        return float(((found - targets[left_out]) ** 2).mean())

    model = fit(np.arange(len(targets)), min(strengths, key=error))
    return model.coef_[None, :], np.atleast_1d(np.asarray(model.intercept_, np.float64))


def _logistic(scaled: np.ndarray, labels: np.ndarray, strength: float, *, balanced: bool) -> Any:
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged is near enough for a start
        return LogisticRegression(
            C=strength,
            max_iter=ITERATIONS,
            tol=1e-3,
            class_weight="balanced" if balanced else None,
        ).fit(scaled, labels)


def _folds(rows: int, seed: int, views: int) -> Folds:
    """A third of the rows as they are, and the others in all their views; of at most 1,000 rows."""
    order = np.random.default_rng(seed).permutation(rows)[:MOST_ROWS_FOR_CHOICE]
    folds = np.array_split(order, FOLDS)
    training = np.concatenate(folds[1:])
    return folds[0], (training + rows * np.arange(views)[:, None]).ravel()


def _choose(
    scaled: np.ndarray,
    labels: np.ndarray,
    fit: Fit,
    folds: Folds,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[float, float]:
    """The strength with the smallest log-loss on rows that were left out, and that log-loss.

    Where there is nothing to choose the log-loss is 0, at which nothing is shrunk.
    """
    if len(strengths) == 1:
        return strengths[0], 0.0
    left_out, training = folds
    learned = np.unique(labels[training])
    if len(learned) < 2 or not np.isin(labels[left_out], learned).any():
        return strengths[1], 0.0
    losses = []
    for strength in strengths:
        model = fit(training, strength)
        known = np.isin(labels[left_out], model.classes_)
        chances = _log_chances(model, scaled[left_out][known])
        at = np.searchsorted(model.classes_, labels[left_out][known])
        losses.append(-chances[np.arange(len(at)), at].mean())
    best = int(np.argmin(losses))
    return strengths[best], float(losses[best])


def _log_chances(model: Any, scaled: np.ndarray) -> np.ndarray:
    """(rows, classes known): the logarithm of each share; the library's own is of shares rounded to 0."""
    from scipy.special import log_softmax

    scores = model.decision_function(scaled)
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    return np.asarray(log_softmax(scores, axis=1))


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
