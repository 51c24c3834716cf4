"""One part judged: scores and baselines with intervals, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.data.findings import Finding
from tunewright.data.rows import Rows, joined_texts
from tunewright.evaluation.changed import counted
from tunewright.evaluation.grouping import Groups, by_finding, by_language, by_length, by_value
from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.metrics import METRICS, kind_of
from tunewright.evaluation.mistakes import mistakes
from tunewright.evaluation.one_label import calibration, confusion, per_class
from tunewright.evaluation.several_labels import per_label
from tunewright.evaluation.slices import slices
from tunewright.evaluation.verdict import Part, verdict
from tunewright.recipe.schema import Reads, Recipe

MOST_POINTS = 1000  # of a scatter plot
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
    answers: np.ndarray,
    labels: np.ndarray,
    theirs: Mapping[str, np.ndarray],
    *,
    metric: str,
    resamples: int,
    seed: int,
    looks: int = 1,
    names: Sequence[str] | None = None,
) -> Judgement:
    """Score a model and its baselines on the same rows.

    Args:
        answers: float (N, C). labels: see `metrics`.
        theirs: name of each baseline → float (N, C).
        metric: the deciding one.
        looks: how often this part was looked at, this time included.
        names: of the metrics; None for all that such labels have.
    """
    names = METRICS[kind_of(labels)] if names is None else names
    return Judgement(
        part=part,
        scores=bootstrap(names, answers, labels, resamples=resamples, seed=seed),
        baselines={
            name: bootstrap(names, said, labels, resamples=resamples, seed=seed)
            for name, said in theirs.items()
        },
        verdict=verdict(
            metric,
            answers,
            dict(theirs),
            labels,
            resamples=resamples,
            seed=seed,
            part=part,
            looks=looks,
        ),
    )


def against_best(
    judged: Judgement,
    answers: np.ndarray,
    theirs: Mapping[str, np.ndarray],
    labels: np.ndarray,
    rows: Rows,
    names: Sequence[str],
) -> dict[str, Any] | None:
    """Rows that the model gets right and the best baseline does not, and the other way round.

    Returns:
        See `counted`, with the baseline under "against"; None where rows are not right or wrong.
    """
    best = judged.verdict["baseline"]
    if best is None:
        return None
    found = counted((answers, theirs[best]), labels, names, rows)
    return None if found is None else {"against": best, **found}


def sliced(
    metric: str,
    answers: Any,
    labels: np.ndarray,
    rows: Rows,
    findings: Iterable[Finding],
    recipe: Recipe,
) -> list[dict[str, Any]]:
    """The deciding metric of rows by length and language, by kept columns, and by finding."""
    kinds: dict[str, Groups] = {}
    if rows.reads == "text":
        kinds["length"] = by_length(joined_texts(rows))
    if rows.reads != "image":
        kinds["language"] = by_language(rows)
    kinds |= {f"column {name}": by_value(values) for name, values in rows.columns.items()}
    found = by_finding(rows.ids, findings)
    kinds |= {f"finding {code}": groups for code, groups in found.items()}
    drawn: dict[str, Any] = {"resamples": recipe.evaluate.resamples, "seed": recipe.seed}
    return slices(metric, answers, labels, kinds, **drawn)


def details(
    answers: np.ndarray,
    labels: np.ndarray,
    texts: Sequence[str],
    names: Sequence[str],
    places: Sequence[str],
    reads: Reads = "text",
) -> Mapping[str, Any]:
    """What the report shows of single labels and rows; see `mistakes`."""
    kind = kind_of(labels)
    shown: dict[str, Any] = {"mistakes": mistakes(answers, labels, texts, names, places, reads)}
    if kind == "one":
        shown["confusion"] = confusion(answers, labels).tolist()
        shown["per_class"] = per_class(answers, labels, names)
        shown["calibration"] = calibration(answers, labels)
    elif kind == "several":
        shown["per_class"] = per_label(answers, labels, names)
    elif kind == "number":
        drawn = np.random.default_rng(0).permutation(len(labels))[:MOST_POINTS]
        shown["scatter"] = np.stack([labels[drawn], answers[drawn, 0]], axis=1).tolist()
    return shown
