"""Answers of a model that does not exist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tunewright.recipe.schema import Kind


def answers(num_rows: int, num_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right more often than not, and the labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, num_rows)
    probabilities = generator.dirichlet(np.full(num_classes, 0.3), num_rows)
    probabilities[np.arange(num_rows), labels] += 0.3
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


def several(num_rows: int, num_labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Shares of any number of labels, right more often than not, and zeros and ones."""
    generator = np.random.default_rng(seed)
    labels = (generator.random((num_rows, num_labels)) < 0.4).astype(np.float32)
    return (generator.random((num_rows, num_labels)) + 0.5 * labels) / 1.5, labels


def numbers(num_rows: int, outputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that are near the labels, and the labels."""
    generator = np.random.default_rng(seed)
    labels = generator.normal(3.0, 2.0, num_rows)
    return labels[:, None] + generator.normal(0.0, 1.0, (num_rows, 1)), labels


def tokens(num_rows: int, outputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Nats, learned tokens and right ones of each row."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 40, num_rows)
    nats = counts * generator.gamma(2.0, 1.0, num_rows)
    found = np.stack([nats, counts, generator.binomial(counts, 0.6)], axis=1).astype(np.float64)
    return found, np.ones(num_rows, dtype=bool)


def preferences(num_rows: int, outputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rewards of both answers, the first one mostly higher, and the loss."""
    rewards = np.random.default_rng(seed).normal([0.5, 0.0], 1.0, (num_rows, 2))
    loss = np.log1p(np.exp(rewards[:, 1] - rewards[:, 0]))
    return np.column_stack([rewards, loss]), np.tile(np.array([True, False]), (num_rows, 1))


KINDS: dict[Kind, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "one": answers,
    "several": several,
    "number": numbers,
    "tokens": tokens,
    "preference": preferences,
}
