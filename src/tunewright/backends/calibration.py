"""How sure a classifier says it is, made true: one temperature for all of its scores.

N rows, C outputs. Guo et al. 2017, On calibration of modern neural networks.
"""

from __future__ import annotations

import numpy as np

from tunewright.recipe.schema import Kind

FEWEST_ROWS = 50  # below, one temperature is as likely to hurt
HOTTEST = 20.0
SMALLEST = np.finfo(np.float64).tiny


def temperature(shares: np.ndarray, targets: np.ndarray, kind: Kind) -> float:
    """What scores are divided by for the smallest log-loss on these rows; the labels stay.

    Args:
        shares: float64 (N, C), as `Answers.of` gives them. targets: as for the loss.
    Returns:
        1 where there are fewer than 50 rows, and of numbers.
    """
    if kind not in ("one", "several") or len(shares) < FEWEST_ROWS:
        return 1.0
    from scipy.optimize import minimize_scalar

    clipped = np.clip(shares, SMALLEST, 1.0)
    if kind == "one":
        scores = np.log(clipped)
    else:
        scores = np.log(clipped) - np.log(np.clip(1.0 - shares, SMALLEST, 1.0))

    def loss(log_temperature: float) -> float:
        return _log_loss(scores / np.exp(log_temperature), targets, kind)

    edge = float(np.log(HOTTEST))
    found = float(minimize_scalar(loss, bounds=(-edge, edge), method="bounded").x)
    return float(np.exp(found)) if loss(found) < loss(0.0) else 1.0


def _log_loss(scores: np.ndarray, targets: np.ndarray, kind: Kind) -> float:
    """Mean nats of (N, C) scores."""
    if kind == "several":
        return float(np.mean(np.logaddexp(0.0, np.where(targets > 0, -scores, scores))))
    from scipy.special import log_softmax

    return float(-log_softmax(scores, axis=1)[np.arange(len(scores)), targets].mean())
