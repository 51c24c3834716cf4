"""A model that a service keeps, judged by what it answers: beside the untouched one and baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.answering import Answered, ask, told
from tunewright.backends.openai.kept_answers import KeptAnswers
from tunewright.backends.openai.labelled import ServedPredictor
from tunewright.backends.openai.presets import known
from tunewright.backends.openai.writer import ServedWriter, open_served
from tunewright.backends.served import NO_LABEL, read_served
from tunewright.data.labels import targets
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows, joined_texts
from tunewright.evaluation.baselines import FittedBaseline, fit_baselines
from tunewright.evaluation.intervals import bootstrap_rows
from tunewright.evaluation.judge import Judgement, against_best, details, judge, sliced
from tunewright.evaluation.metrics import METRICS
from tunewright.evaluation.verdict import as_often_right, verdict_of_rows
from tunewright.evaluation.written import OF_ROWS
from tunewright.few_shot import NAME as FEW_SHOT
from tunewright.few_shot import Shots, drawn_shots
from tunewright.hosting.asked import NO_SHARES
from tunewright.hosting.sent import RoughReader
from tunewright.recipe.schema import TASKS, UNLABELLED, Recipe

BASE = "base"
"""The folder in a run that names the untouched model."""
KEPT = "answers.jsonl"


def baselines_of(folder: Path, prepared: Prepared, recipe: Recipe) -> list[FittedBaseline]:
    """Cheap models of the rows, and the untouched model asked for labels.

    Of answers there are none here: `judge_part` lets the untouched model write them.

    Args:
        folder: of the run. recipe: resolved.
    """
    if prepared.kind in UNLABELLED:
        return []
    found = fit_baselines(
        prepared.train, prepared.targets_of("train"), len(prepared.labels), seed=recipe.seed
    )
    base = ServedPredictor(writer_of(folder, BASE))
    return [
        *found,
        FittedBaseline("base", 0.0, 0, lambda rows: base.answers(rows.texts, rows.pairs)),
    ]


def judge_part(
    folder: Path,
    rows: Rows,
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    recipe: Recipe,
    part: Any,
    times: int,
) -> tuple[Judgement, dict[str, Any]]:
    """The run's model on some rows, and what the report shows of single ones.

    Args:
        times: how often this part was looked at, this time included.
    """
    if TASKS[recipe.task] in UNLABELLED:
        found = ask(
            writer_of(folder, BASE),
            writer_of(folder, "model"),
            rows,
            recipe,
            shots_of(prepared.train, recipe),
        )
        judged = judge_answers(found, recipe, part, times)
        shown: dict[str, Any] = {"mistakes": [], "changed": None, "thresholds": None, "slices": []}
        return judged, shown | {"written": told(found, recipe)}
    return _judge_labels(folder, rows, prepared, baselines, recipe, part, times)


def writer_of(folder: Path, which: str) -> ServedWriter:
    """What asks the run's model or the untouched one; what was answered is kept.

    Args:
        which: model, or base.
    """
    return open_served(read_served(folder / which), kept=KeptAnswers(folder / "service" / KEPT))


def shots_of(train: Rows, recipe: Recipe) -> Shots | str:
    """Examples that the untouched model is shown, or why there are none."""
    if recipe.task == "preference":
        return "a row is a question with two answers, not a conversation to go on"
    return drawn_shots(train, recipe, RoughReader(known(recipe.service).most_tokens))


def judge_answers(found: Answered, recipe: Recipe, part: Any, times: int) -> Judgement:
    """Scores of written answers with intervals, and the verdict on the deciding one."""
    names, metric = found.fitting(), str(recipe.evaluate.metric)
    theirs = {"base": found.before}
    if found.shown_some is not None:
        theirs[FEW_SHOT] = found.shown_some
    drawn: dict[str, Any] = {"resamples": recipe.evaluate.resamples, "seed": recipe.seed}
    exact = {}
    if metric in OF_ROWS:
        mine = found.after.each(metric) == 1.0
        exact = {
            name: as_often_right(mine, rows.each(metric) == 1.0) for name, rows in theirs.items()
        }
    return Judgement(
        part=part,
        scores=bootstrap_rows(names, found.after, **drawn),
        baselines={name: bootstrap_rows(names, rows, **drawn) for name, rows in theirs.items()},
        verdict=verdict_of_rows(
            metric, found.after, theirs, exact=exact, part=part, looks=times, **drawn
        ),
    )


def _judge_labels(
    folder: Path,
    rows: Rows,
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    recipe: Recipe,
    part: Any,
    times: int,
) -> tuple[Judgement, dict[str, Any]]:
    """As a model on this machine is judged, but for scores of shares, which nobody knows here."""
    names = (*prepared.labels, NO_LABEL)
    metric: Any = recipe.evaluate.metric
    numbers = targets(rows, prepared.labels, TASKS[recipe.task])
    predictor = ServedPredictor(writer_of(folder, "model"))
    count = len(prepared.labels)
    answers = _said(predictor.answers(rows.texts, rows.pairs), count)
    theirs = {each.name: _said(each.answers(rows), count) for each in baselines}
    judged = judge(
        part,
        answers,
        numbers,
        theirs,
        metric=metric,
        resamples=recipe.evaluate.resamples,
        seed=recipe.seed,
        looks=times,
        names=[name for name in METRICS["one"] if name not in NO_SHARES],
    )
    places = [rows.place(row) for row in range(len(rows))]
    shown = dict(details(answers, numbers, joined_texts(rows), names, places, rows.reads))
    shown["mistakes"] = [{**each, "confidence": None} for each in shown["mistakes"]]
    shown |= {"calibration": [], "thresholds": None, "labels": list(names[: answers.shape[1]])}
    shown["changed"] = against_best(judged, answers, theirs, numbers, rows, names)
    found = prepared.findings.findings
    return judged, shown | {"slices": sliced(metric, answers, numbers, rows, found, recipe)}


def _said(answers: np.ndarray, labels: int) -> np.ndarray:
    """Without the column for no label, where every answer was one."""
    return answers if answers[:, labels:].any() else answers[:, :labels]
