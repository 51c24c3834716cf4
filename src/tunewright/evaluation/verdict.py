"""Was fine-tuning worth it? One comparison, one sentence.

N rows, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation import written
from tunewright.evaluation.decided import chosen
from tunewright.evaluation.intervals import Interval, bootstrap_rows, paired_difference, paired_rows
from tunewright.evaluation.metrics import HIGHER_IS_BETTER, scored
from tunewright.evaluation.scored import Floats, Ints, Scored
from tunewright.evaluation.shown import bounds, in_percent, number, word

Part = Literal["validation", "test", "given"]
ALPHA = 0.05


def verdict(
    metric: str,
    ours: Floats,
    baselines: dict[str, Floats],
    labels: Ints,
    *,
    resamples: int = 1000,
    seed: int = 0,
    part: Part = "validation",
    looks: int = 1,
) -> dict[str, Any]:
    """Compare with the best baseline, on the same rows.

    Args:
        metric: the deciding one.
        ours: float (N, C), probabilities of the fine-tuned model.
        baselines: name -> float (N, C).
        labels: int (N,).
        looks: how many times this part was looked at, this time included; the interval's
            level is 1 - 0.05 / looks on the test part.
    Returns:
        better_than_baseline: the whole interval of the difference is above zero.
        difference: {"value", "low", "high"} in the metric's own unit, positive when ours is
            better, also where lower is better; null without baselines.
        baseline: name of the best one. p_value: exact McNemar, for accuracy only.
        differences: from each baseline, as `difference`.
        level: coverage of the intervals. sentence: the answer in words.
    Source:
        McNemar 1947; Bonferroni for repeated looks.
    """
    exact = {}
    if metric == "accuracy":
        exact = {name: mcnemar(ours, theirs, labels) for name, theirs in baselines.items()}
    return verdict_of_rows(
        metric,
        scored(ours, labels),
        {name: scored(theirs, labels) for name, theirs in baselines.items()},
        exact=exact,
        resamples=resamples,
        seed=seed,
        part=part,
        looks=looks,
    )


def verdict_of_rows(
    metric: str,
    ours: Scored,
    baselines: Mapping[str, Scored],
    *,
    exact: Mapping[str, float],
    resamples: int,
    seed: int,
    part: Part,
    looks: int,
) -> dict[str, Any]:
    """See `verdict`: of any rows that can be measured, the same in all.

    Args:
        exact: name → p-value of an exact test, where there is one.
    """
    looks = looks if part == "test" else 1
    alpha = ALPHA / looks
    drawn: dict[str, Any] = {"resamples": resamples * looks, "seed": seed, "level": 1 - alpha}
    own = bootstrap_rows([metric], ours, **drawn)[metric]
    least = least_p_value(len(ours))
    differences = {
        name: agree(
            paired_rows(metric, (ours, theirs), higher=_higher(metric), **drawn),
            exact.get(name, least),
            alpha,
        )
        for name, theirs in baselines.items()
    }
    best = _best(metric, baselines)
    difference = None if best is None else differences[best]
    head = f"Look {looks} at this sealed test; {100 * (1 - alpha):.4g} % intervals: "
    return {
        "better_than_baseline": difference is not None and difference["low"] > 0,
        "difference": difference,
        "baseline": best,
        "p_value": None if best is None else exact.get(best),
        "differences": differences,
        "level": 1 - alpha,
        "sentence": (head if looks > 1 else "")
        + sentence(metric, own, difference, best, rows=len(ours), part=part),
    }


def against(
    metric: str,
    pair: tuple[Floats, Floats],
    labels: Ints,
    *,
    alpha: float,
    resamples: int,
    seed: int,
) -> tuple[Interval, float | None]:
    """How much better the first of two is, and the exact p-value where the metric is accuracy.

    Args:
        pair: float (N, C) each. alpha: the interval's level is 1 - alpha, with as many more
            resamples as it is below 0.05.
    """
    found = paired_difference(
        metric,
        *pair,
        labels,
        resamples=round(resamples * ALPHA / alpha),
        seed=seed,
        level=1 - alpha,
    )
    if metric != "accuracy":
        return agree(found, least_p_value(len(labels)), alpha), None
    p_value = mcnemar(*pair, labels)
    return agree(found, p_value, alpha), p_value


def least_p_value(rows: int) -> float:
    """What no two-sided exact test of signs goes below: one model is better on every row.

    >>> least_p_value(5), least_p_value(6)
    (0.0625, 0.03125)
    """
    return float(2.0 ** (1 - rows))


def best_baseline(metric: str, baselines: dict[str, Floats], labels: Ints) -> str | None:
    """Name of the baseline with the best score; the first of equals; None when there is none."""
    return _best(metric, {name: scored(answers, labels) for name, answers in baselines.items()})


def _best(metric: str, baselines: Mapping[str, Scored]) -> str | None:
    sign = 1 if _higher(metric) else -1
    scores = {name: sign * rows.measure([metric])[0, 0] for name, rows in baselines.items()}
    return max(scores, key=scores.__getitem__, default=None)


def _higher(metric: str) -> bool:
    """Whether more is better; of a user's own metric it is."""
    return (HIGHER_IS_BETTER | written.HIGHER_IS_BETTER).get(metric, True)


def mcnemar(ours: Floats, theirs: Floats, labels: Ints) -> float:
    """Two-sided exact p-value that both models are right equally often: (N, C) twice, (N,).

    Only rows that exactly one of the two gets right count; each is a fair coin if equal.
    """
    mine, other = (chosen(answers) == labels for answers in (ours, theirs))
    return as_often_right(mine, other)


def as_often_right(mine: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """See `mcnemar`: of which rows each model gets right, (N,) twice."""
    from scipy.stats import binomtest

    wins, losses = int((mine & ~other).sum()), int((other & ~mine).sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def agree(difference: Interval, p_value: float, alpha: float) -> Interval:
    """Stretch the interval to zero when the exact test sees no difference, or could see none.

    On a handful of rows a bootstrap interval is too narrow; the exact test is not.
    """
    if p_value <= alpha:
        return difference
    return difference | {"low": min(difference["low"], 0.0), "high": max(difference["high"], 0.0)}


def sentence(
    metric: str,
    own: Interval,
    difference: Interval | None,
    baseline: str | None,
    *,
    rows: int,
    part: Part,
    seeds: int = 1,
) -> str:
    """The verdict in one plain sentence.

    Args:
        seeds: how many runs the score is the mean of.
    """
    unit, points = (" %", " points") if in_percent(metric) else ("", "")
    own_bounds = bounds(metric, own["low"], own["high"])
    start = f"{number(metric, own['value'])}{unit} {word(metric)} {own_bounds}"
    start += f" over {seeds} seeds and" if seeds > 1 else " on"
    start += f" {rows:,} {part} {'row' if rows == 1 else 'rows'}"
    if difference is None:
        return f"{start}: no baseline was measured."
    gap = _gap(metric, difference, f"{points} ", str(baseline))
    if difference["low"] > 0:
        return f"{start}, {gap}: fine-tuning was worth it."
    if difference["high"] < 0:
        return f"{start}, {gap}: fine-tuning was not worth it."
    shown = f"{rows:,} {'row' if rows == 1 else 'rows'}"
    return f"{start}, no difference that {shown} can show: {gap}."


def _gap(metric: str, difference: Interval, unit: str, baseline: str) -> str:
    """Such as "6.2 points above tfidf [4.7, 7.8]", or "below", with bounds of how far below."""
    value, low, high = difference["value"], difference["low"], difference["high"]
    if value == low == high == 0:
        return f"the same as {baseline}"
    up, down = ("above", "below") if _higher(metric) else ("better than", "worse than")
    if value >= 0:
        return f"{number(metric, value)}{unit}{up} {baseline} {bounds(metric, low, high)}"
    return f"{number(metric, -value)}{unit}{down} {baseline} {bounds(metric, -high, -low)}"
