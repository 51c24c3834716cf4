"""How far a model moved from what it was: its vectors, its loss, its answers, on the same texts.

N texts, D numbers of a vector. Differences are positive where the trained model is better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.intervals import Interval, bootstrap, paired_difference
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.shown import bounds, in_percent, number
from tunewright.evaluation.verdict import ALPHA, against

Compared = dict[str, Interval]  # base, tuned, difference
LARGE_LOSS = 0.05  # nats a token: one token in twenty was as good as taken away


def likeness(before: Floats, after: Floats) -> float:
    """Linear CKA: 1 where texts lie to each other as they did, turned or scaled as a whole or not.

    Args:
        before, after: float (N, D), D may differ.
    Source:
        Kornblith and others 2019.
    """
    x, y = (each - each.mean(axis=0) for each in (before.astype(float), after.astype(float)))
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / norms) if norms else 0.0


def mean_cosine(before: Floats, after: Floats) -> float:
    """Of each text's two vectors, float (N, D) both."""
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(((before * after).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def compare(
    metric: str, before: Floats, after: Floats, labels: NDArray[Any], *, resamples: int, seed: int
) -> Compared:
    """A metric of both, each with its interval, and their difference text by text.

    Args:
        before, after, labels: see `metrics`.
    """
    drawn: dict[str, Any] = {"resamples": resamples, "seed": seed}
    base, tuned = (bootstrap([metric], each, labels, **drawn)[metric] for each in (before, after))
    if metric == "accuracy":  # the exact test must agree: the texts are few
        difference, _ = against(metric, (after, before), labels, alpha=ALPHA, **drawn)
    else:
        difference = paired_difference(metric, after, before, labels, **drawn)
    return {"base": base, "tuned": tuned, "difference": difference}


def of_right(right: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int64]]:
    """Answers (N, 2) and labels (N) whose accuracy is the share of those that are right."""
    return np.stack([~right, right], axis=1).astype(float), np.ones(len(right), dtype=np.int64)


def is_lost(metric: str, compared: Compared) -> bool:
    """Whether the texts show a loss; of the loss itself, one that is worth a word."""
    fell = compared["difference"]["high"] < 0
    return fell and (metric != "loss" or compared["difference"]["value"] <= -LARGE_LOSS)


def change(metric: str, compared: Compared, texts: str) -> str:
    """Such as "fell from 91.0 % to 84.0 %, −7.0 points [−11.0, −3.0]".

    Args:
        texts: what was asked, such as "200 sentences".
    """
    base, tuned, difference = (compared[key] for key in ("base", "tuned", "difference"))
    unit, points = (" %", " points") if in_percent(metric) else ("", "")
    sign = -1 if metric == "loss" else 1  # the difference is a gain, the sentence tells the change
    low, high = sorted((sign * difference["low"], sign * difference["high"]))
    value = sign * difference["value"]
    verb = "stayed at" if value == 0 else "rose from" if value > 0 else "fell from"
    told = f"{verb} {number(metric, base['value'])}{unit}"
    if value:
        told += f" to {number(metric, tuned['value'])}{unit}"
    told += f", {number(metric, value) if value < 0 else '+' + number(metric, value)}{points} "
    told += bounds(metric, low, high)
    if low <= 0 <= high:
        told += f", no change that {texts} can show"
    return told.replace("-", "\N{MINUS SIGN}")
