"""Scores over seeds and rows: how far off is what several runs of one recipe have in the mean?

S seeds, N rows, C outputs, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.intervals import Interval, percentile_interval, samples
from tunewright.evaluation.metrics import HIGHER_IS_BETTER, scored
from tunewright.evaluation.scored import Floats, Ints


def mean_over_seeds(
    metric: str,
    answers: Sequence[Floats],
    labels: NDArray[Any],
    *,
    against: Floats | Sequence[Floats] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The mean score of runs that differ in their seed, or by how much it is better.

    Rows are drawn with replacement, the same ones for all, and so are runs; as the mean of few
    drawn runs spreads too little, it is stretched by the square root of S / (S - 1).

    Args:
        answers: S times float (N, C), on the same rows. labels: see `metrics`.
        against: float (N, C), what every run is held against on the same rows, or such for each
            of the seeds; the sign is turned where lower is better.
    Source:
        Efron and Tibshirani 1993, chapters 5 and 8.
    """
    rows = [scored(each, labels) for each in answers]
    others: list[Any] = []
    if against is not None:
        theirs = [against] if isinstance(against, np.ndarray) else against
        others = [scored(each, labels) for each in theirs]
    sign = -1.0 if others and not HIGHER_IS_BETTER[metric] else 1.0

    def measured(sample: Ints | None) -> Floats:
        """float (S, r)."""
        found = np.stack([each.measure([metric], sample)[0] for each in rows])
        if others:
            theirs = np.stack([each.measure([metric], sample)[0] for each in others])
            found = sign * (found - theirs)  # one for all seeds is broadcast
        return found

    drawn = np.concatenate([measured(s) for s in samples(len(labels), resamples, seed)], axis=1)
    runs = len(rows)
    chosen = np.random.default_rng(seed + 1).integers(0, runs, (runs, drawn.shape[1]))
    centre = drawn.mean(axis=0)
    stretch = np.sqrt(runs / (runs - 1)) if runs > 1 else 1.0
    spread = np.take_along_axis(drawn, chosen, axis=0).mean(axis=0) - centre
    return percentile_interval(float(measured(None).mean()), centre + stretch * spread, level)
