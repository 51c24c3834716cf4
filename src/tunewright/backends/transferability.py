"""How well features fit what is to be learned, without fitting anything: two scores of the field.

N rows, D features, C classes. Higher is better; only scores of the same rows can be compared.
"""

from __future__ import annotations

import numpy as np

ROUNDS = 20
CLOSE = 1e-3
TINY = 1e-12


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """The share of the features' spread that lies between the classes, with a shrunk covariance.

    Args:
        features: float (N, D). labels: int (N).
    Source:
        Bao et al. 2019; with Ledoit and Wolf's shrinkage, Ibrahim et al. 2022.
    """
    from sklearn.covariance import ledoit_wolf

    centred = (features - features.mean(0)).astype(np.float64)
    covariance, shrinkage = ledoit_wolf(centred)
    _, of_row, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), centred.shape[1]))
    np.add.at(sums, of_row, centred)
    means = sums / counts[:, None]
    between = (means * counts[:, None]).T @ means / len(centred)
    return float((1 - shrinkage) * np.trace(np.linalg.lstsq(covariance, between, rcond=None)[0]))


def log_me(features: np.ndarray, targets: np.ndarray) -> float:
    """The log of the largest evidence of a linear model with Gaussian noise, for each row.

    Args:
        features: float (N, D). targets: float (N, C), such as one column for each class.
    Source:
        You et al. 2021, with the fixed point of their 2022 paper.
    """
    _, singular, right = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    left = features @ right.T / np.maximum(singular, TINY)
    return float(np.mean([_evidence(left.T @ column, singular**2, column) for column in targets.T]))


def _evidence(projected: np.ndarray, spectrum: np.ndarray, column: np.ndarray) -> float:
    """Of one column (N), from its projections on the left singular vectors (K)."""
    rows, width = len(column), len(spectrum)
    total = float(column @ column)
    prior, noise = 1.0, 1.0  # precisions: of the weights, and of what they leave
    for _ in range(ROUNDS):
        shrunk = spectrum / (spectrum + prior / noise)
        known = float(shrunk.sum())
        weights = float((spectrum * projected**2 / (spectrum + prior / noise) ** 2).sum())
        left_over = total - float(((1 - (1 - shrunk) ** 2) * projected**2).sum())
        before = prior / noise
        prior = known / max(weights, TINY)
        noise = (rows - known) / max(left_over, TINY)
        if abs(prior / noise - before) <= CLOSE * before:
            break
    left_over = total - float(((1 - (1 - shrunk) ** 2) * projected**2).sum())
    log_determinant = float(np.log(prior + noise * spectrum).sum())
    fit = noise * left_over + prior * weights
    logs = width * float(np.log(prior)) + rows * float(np.log(noise / (2 * np.pi)))
    return (logs - fit - log_determinant) / (2 * rows)
