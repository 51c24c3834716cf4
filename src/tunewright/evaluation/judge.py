"""One part judged: scores and baselines with intervals, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.evaluation.baselines import FittedBaseline
from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.metrics import HIGHER_IS_BETTER, calibration, confusion, per_class
from tunewright.evaluation.mistakes import confident_mistakes
from tunewright.evaluation.verdict import Part, verdict

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Judgement:
    """How a model did on one part, beside its baselines on the same rows."""

    part: Part
    scores: Scores
    baselines: dict[str, Scores]
    verdict: dict[str, Any]


def judge(
    part: Part,
    probabilities: np.ndarray,
    labels: np.ndarray,
    texts: Sequence[str],
    baselines: Sequence[FittedBaseline],
    *,
    metric: str,
    resamples: int,
    seed: int,
    looks: int = 1,
) -> Judgement:
    """Score a model and its baselines on the same rows.

    Args:
        probabilities: float (N, C). labels: int (N,). texts: N, the pair joined.
        metric: the deciding one.
        looks: how often this part was looked at, this time included.
    """
    names = list(HIGHER_IS_BETTER)
    theirs = {baseline.name: baseline.probabilities(texts) for baseline in baselines}
    return Judgement(
        part=part,
        scores=bootstrap(names, probabilities, labels, resamples=resamples, seed=seed),
        baselines={
            name: bootstrap(names, answers, labels, resamples=resamples, seed=seed)
            for name, answers in theirs.items()
        },
        verdict=verdict(
            metric,
            probabilities,
            theirs,
            labels,
            resamples=resamples,
            seed=seed,
            part=part,
            looks=looks,
        ),
    )


def details(
    probabilities: np.ndarray,
    labels: np.ndarray,
    texts: Sequence[str],
    names: Sequence[str],
    places: Sequence[str],
) -> Mapping[str, Any]:
    """What the report shows of single labels and rows."""
    return {
        "confusion": confusion(probabilities, labels).tolist(),
        "per_class": per_class(probabilities, labels, names),
        "calibration": calibration(probabilities, labels),
        "mistakes": confident_mistakes(probabilities, labels, texts, names, places=places),
    }
