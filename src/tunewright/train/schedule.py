"""How the learning rate rises and falls, once in a run, through all its phases."""

from __future__ import annotations

import math


def rate_at_step(step: int, steps: int, *, warmup: float, shape: str) -> float:
    """The share of the full learning rate at a step, from 0 to 1.

    Args:
        step: from 0.
        steps: of the run.
        warmup: share of the steps in which the rate rises in a straight line.
        shape: linear, cosine or constant after that.

    >>> [round(rate_at_step(s, 4, warmup=0.25, shape="linear"), 2) for s in range(4)]
    [1.0, 1.0, 0.67, 0.33]
    """
    rising = max(1, round(warmup * steps)) if warmup else 0
    if step < rising:
        return (step + 1) / rising
    left = (steps - step) / max(1, steps - rising)
    if shape == "constant":
        return 1.0
    if shape == "cosine":
        return 0.5 * (1 - math.cos(math.pi * left))
    return left
