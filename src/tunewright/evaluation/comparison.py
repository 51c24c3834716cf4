"""Two models on the same rows: how much better is one, and which rows did it mend or break.

N rows, C outputs.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tunewright.evaluation.changed import changed
from tunewright.evaluation.intervals import Interval
from tunewright.evaluation.metrics import HIGHER_IS_BETTER
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.shown import bounds, in_percent, number, word
from tunewright.evaluation.verdict import ALPHA, against


def compared(
    metric: str,
    pair: tuple[Floats, Floats],
    labels: NDArray[Any],
    names: tuple[str, str],
    *,
    comparisons: int = 1,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """One model against another, row by row.

    Args:
        pair: float (N, C) of the model, and of the one that it is held against.
        labels: see `metrics`. names: of the two, for the sentence.
        comparisons: how many are made at once; the level is 1 - 0.05 / comparisons.
    Returns:
        difference: positive where the first is better. p_value: exact McNemar, for accuracy only.
        fixed, broken: see `changed`. level, sentence.
    Source:
        McNemar 1947; Bonferroni for several comparisons.
    """
    alpha = ALPHA / comparisons
    difference, p_value = against(metric, pair, labels, alpha=alpha, resamples=resamples, seed=seed)
    fixed, broken = changed(pair, labels)
    return {
        "difference": difference,
        "p_value": p_value,
        "level": 1 - alpha,
        "fixed": fixed,
        "broken": broken,
        "sentence": _sentence(metric, difference, names, len(labels)),
    }


def _sentence(metric: str, difference: Interval, names: tuple[str, str], rows: int) -> str:
    value, low, high = difference["value"], difference["low"], difference["high"]
    name, other = names
    if value == low == high == 0:
        return f"{name} answers as {other} does on all {rows:,} rows."
    unit = " points of" if in_percent(metric) else " in"
    up, down = ("above", "below") if HIGHER_IS_BETTER[metric] else ("better than", "worse than")
    ahead = value >= 0
    interval = bounds(metric, low, high) if ahead else bounds(metric, -high, -low)
    gap = f"{number(metric, abs(value))}{unit} {word(metric)} {up if ahead else down} {other} {interval}"
    if low > 0 or high < 0:
        return f"{name} is {gap} on {rows:,} rows."
    return f"no difference that {rows:,} rows can show: {name} is {gap}."
