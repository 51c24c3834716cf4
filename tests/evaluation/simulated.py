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


KINDS: dict[Kind, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "one": answers,
    "several": several,
    "number": numbers,
}
