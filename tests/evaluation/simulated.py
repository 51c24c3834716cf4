"""Answers of a model that does not exist."""

from __future__ import annotations

import numpy as np


def answers(num_rows: int, num_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right more often than not, and the labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, num_rows)
    probabilities = generator.dirichlet(np.full(num_classes, 0.3), num_rows)
    probabilities[np.arange(num_rows), labels] += 0.3
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels
