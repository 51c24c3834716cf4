"""How far a score could be off: bootstrap over rows.

N rows, C classes, R resamples. Resamples are drawn in blocks, so memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation import written
from tunewright.evaluation.metrics import HIGHER_IS_BETTER, kind_of, refuse_unknown, scored
from tunewright.evaluation.scored import Floats, Ints, Scored

Interval = dict[str, float]
SHARES = (  # 1: every row is right
    *("accuracy", "macro_f1", "mcc", "micro_f1", "preference_accuracy"),
    *written.SHARES,
)
AT_ZERO = ("accuracy", "preference_accuracy", *written.OF_ROWS)  # 0: every row is wrong
DRAWS_PER_BLOCK = 1_000_000  # row numbers held at once: 8 MB per array


def bootstrap(
    names: Sequence[str],
    answers: Floats,
    labels: NDArray[Any],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals of metrics over rows drawn with replacement.

    Where every row is right, or none, there is no spread to resample: the Wilson interval of the
    share of right rows is given.
    An interval is stretched to its value where resampling is biased (few rows per class,
    calibration error).

    Args:
        names: metrics of such labels.
        answers: float (N, C).
        labels: see `metrics`.
        level: coverage of each interval.
    Returns:
        name -> {"value", "low", "high"}, with low <= value <= high.
    Source:
        Efron and Tibshirani 1993, chapter 13; Wilson 1927 for the edges.
    """
    refuse_unknown(tuple(names), kind_of(labels))
    rows = scored(answers, labels)
    return bootstrap_rows(names, rows, resamples=resamples, seed=seed, level=level)


def bootstrap_rows(
    names: Sequence[str],
    rows: Scored,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """See `bootstrap`: of any rows that can be measured."""
    resampled = _resample(lambda sample: rows.measure(names, sample), len(rows), resamples, seed)
    whole = rows.measure(names)[:, 0]
    intervals = {}
    for name, value, values in zip(names, whole, resampled, strict=True):
        interval = percentile_interval(float(value), values, level)
        if (name in SHARES and value == 1.0) or (name in AT_ZERO and value == 0.0):
            interval = _at_the_edge(float(value), rows.num_counted(name), level)
        intervals[name] = interval
    return intervals


def paired_difference(
    name: str,
    ours: Floats,
    theirs: Floats,
    labels: NDArray[Any],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """How much better `ours` is than `theirs`, both scored on the same resampled rows.

    Args:
        name: the metric. The sign is turned where lower is better: positive favours `ours`.
        ours: float (N, C).
        theirs: float (N, C).
        labels: see `metrics`.
    Returns:
        {"value", "low", "high"}; exactly zero for a model against itself.
    """
    refuse_unknown((name,), kind_of(labels))
    pair = scored(ours, labels), scored(theirs, labels)
    return paired_rows(
        name, pair, resamples=resamples, seed=seed, level=level, higher=HIGHER_IS_BETTER[name]
    )


def paired_rows(
    name: str,
    pair: tuple[Scored, Scored],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    higher: bool = True,
) -> Interval:
    """See `paired_difference`: of any rows that can be measured, the same in both."""
    sign = 1.0 if higher else -1.0

    def gain(sample: Ints | None) -> Floats:
        mine, other = (rows.measure([name], sample) for rows in pair)
        return sign * (mine - other)

    resampled = _resample(gain, len(pair[0]), resamples, seed)[0]
    return percentile_interval(float(gain(None)[0, 0]), resampled, level)


def percentile_interval(value: float, resampled: Floats, level: float) -> Interval:
    """The middle `level` of the resampled values (R,), stretched to hold the value."""
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]).tolist()
    return {"value": value, "low": min(low, value), "high": max(high, value)}


def _resample(
    function: Callable[[Ints], Floats], num_rows: int, resamples: int, seed: int
) -> Floats:
    """Apply `function` (sample (r, N) -> (metrics, r)) to all resamples: (metrics, R)."""
    return np.concatenate([function(s) for s in samples(num_rows, resamples, seed)], axis=1)


def samples(num_rows: int, resamples: int, seed: int) -> Iterator[Ints]:
    """Row numbers of `resamples` samples with replacement, in blocks (r, N)."""
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWS_PER_BLOCK // num_rows)
    for done in range(0, resamples, at_once):
        size = (min(at_once, resamples - done), num_rows)
        yield generator.integers(0, num_rows, size=size)


def _at_the_edge(value: float, num_rows: int, level: float) -> Interval:
    """Wilson interval of a share that is 0 or 1 in `num_rows` rows."""
    from statistics import NormalDist

    z_squared = NormalDist().inv_cdf((1 + level) / 2) ** 2
    reach = z_squared / (num_rows + z_squared)
    return {"value": value, "low": max(0.0, value - reach), "high": min(1.0, value + reach)}
