"""Judges a run that is done: on its sealed test part, or on another file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import open_language, open_predictor
from tunewright.backends.served import is_served
from tunewright.baselining import base_folder
from tunewright.data.labels import targets
from tunewright.data.prepare import Prepared, prepare, same_columns
from tunewright.data.read import read_table
from tunewright.data.rows import CONTENT_DIGITS, Rows, build_rows, joined_texts
from tunewright.data.seal import looks, open_seal
from tunewright.deciding import baseline_answers, read_limits
from tunewright.errors import DataError, RecipeError, RunError, SealError
from tunewright.evaluation.baselines import FittedBaseline
from tunewright.evaluation.decided import decided
from tunewright.evaluation.judge import Judgement, against_best, details, judge, sliced
from tunewright.evaluation.suspects import suspects
from tunewright.evaluation.thresholds import change
from tunewright.history.folder import find_run
from tunewright.history.lock import lock_run
from tunewright.history.result import read_result, write_result
from tunewright.history.state import read_state
from tunewright.publishing import publish
from tunewright.recipe.load import load_recipe
from tunewright.recipe.metric_names import judged_by
from tunewright.recipe.schema import TASKS, UNLABELLED, Data, Recipe
from tunewright.train.events import Events
from tunewright.ways import way_of


def test(run: str | Path, *, command: str = "test") -> dict[str, Any]:  # noqa: PT028
    """Open the seal of a run: final scores and verdict. The look is written down first.

    Returns:
        result.json, with `test`.
    Raises:
        RunError: the run is not done. DataError, SealError: its data is not what it was.
    """
    folder, recipe = done_run(run)
    refuse_left_out(recipe.data, test=True)
    with lock_run(folder):
        prepared = prepared_as_then(folder, recipe)
        baselines = way_of(recipe).baselines_of(folder, prepared, recipe)
        events = Events(folder / "events.jsonl")
        try:
            test_sealed(folder, prepared, baselines, command=command, events=events)
        finally:
            events.close()
    return read_result(folder)


def refuse_left_out(data: Data, *, validation: bool = False, test: bool = False) -> None:
    """Raise RecipeError where one of these parts is to be judged, and has no rows by its share."""
    if validation and data.leaves_out("validation"):
        raise RecipeError(
            "data.split.validation is 0, so there are no rows to judge the model on",
            fix="give data.validation, or a share; to train alone: tunewright run --until train",
        )
    if test and data.leaves_out("test"):
        raise RecipeError(
            "data.split.test is 0, so there is no test part to open",
            fix="give data.test, or a share, to a new run",
        )


def test_sealed(
    folder: Path,
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    *,
    command: str,
    events: Events,
) -> None:
    """The only place that opens a seal: score, judge, and write result, card and report."""
    recipe, result = load_recipe(folder / "recipe.yaml"), read_result(folder)
    rows = open_seal(folder, run_id=folder.name, command=command)
    times = len(looks(folder))
    judge = way_of(recipe).judge_part
    judged, shown = judge(folder, rows, prepared, baselines, recipe, "test", times)
    result |= {
        "test": {**judged.scores, "looks": times},
        "verdict": judged.verdict,
        "baselines": judged.baselines,
    }
    write_result(folder, result)
    publish(folder, judged, {"part": "test", **shown})
    events.emit("verdict", part="test", looks=times, **judged.verdict)


def evaluate(
    run: str | Path, *, data: str | Path | None = None, slices: Sequence[str] | None = None
) -> dict[str, Any]:
    """Scores with intervals and error analysis, on validation or on a labelled file.

    Args:
        slices: columns by whose values scores are shown, in the place of the recipe's.
    Raises:
        SealError: the file holds rows of the sealed test part. DataError: no such column.
    """
    folder, recipe = done_run(run)
    refuse_left_out(recipe.data, validation=data is None)
    beside = recipe.evaluate.slices if slices is None else tuple(slices)
    with lock_run(folder):
        prepared = prepared_as_then(folder, recipe, beside if data is None else ())
    rows = prepared.validation if data is None else given_rows(folder, prepared, data, beside)
    way, part = way_of(recipe), "given" if data else "validation"
    baselines = way.baselines_of(folder, prepared, recipe)
    judged, shown = way.judge_part(folder, rows, prepared, baselines, recipe, part, 1)
    return {
        "run": folder.name,
        "data": str(data) if data is not None else "validation",
        "rows": len(rows),
        "metric": read_result(folder)["metric"],
        "scores": judged.scores,
        "baselines": judged.baselines,
        "verdict": judged.verdict,
        "labels": list(prepared.labels),
        "suspects": suspects(prepared.findings.findings, prepared.columns.reads),
        **shown,
    }


def given_rows(
    folder: Path, prepared: Prepared, data: str | Path, beside: Sequence[str] = ()
) -> Rows:
    """The rows of a labelled file, read as the run read its own.

    Args:
        beside: names of columns that are kept with the rows.
    Raises:
        SealError: a row is in the run's sealed test part. DataError: it was trained on one, or
            there are none.
    """
    table = read_table(data)
    rows = build_rows(table, same_columns(table, prepared.columns), beside=beside)
    rows.refuse_flaws()
    _refuse_known_rows(folder, rows, str(data))
    if not len(rows):
        raise DataError(f"{data} has no rows", fix="give a file with rows")
    return rows


def judge_part(
    folder: Path,
    rows: Rows,
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    recipe: Recipe,
    part: Any,
    times: int,
) -> tuple[Judgement, dict[str, Any]]:
    """A run's model on some rows, and what the report shows of single ones.

    Args:
        times: how often this part was looked at, this time included.
    """
    labels, texts = prepared.labels, joined_texts(rows)
    numbers = targets(rows, labels, TASKS[recipe.task])
    metric = judged_by(recipe.evaluate.metric, recipe.task)
    answers = answers_of_run(folder, recipe, rows)
    theirs = baseline_answers(baselines, rows, prepared, recipe)
    judged = judge(
        part,
        answers,
        numbers,
        theirs,
        metric=metric,
        resamples=recipe.evaluate.resamples,
        seed=recipe.seed,
        looks=times,
    )
    places = [rows.place(row) for row in range(len(rows))]
    shown = dict(details(answers, numbers, texts, labels, places, rows.reads))
    shown["changed"] = against_best(judged, answers, theirs, numbers, rows, labels)
    shown["thresholds"] = change(metric, answers, numbers, labels)
    found = prepared.findings.findings
    return judged, shown | {"slices": sliced(metric, answers, numbers, rows, found, recipe)}


def answers_of_run(folder: Path, recipe: Recipe, rows: Rows) -> np.ndarray:
    """float (rows, outputs): what the model of a run answers, by its thresholds if it has some."""
    answers: np.ndarray = opened_model(folder, recipe).answers(rows.texts, rows.pairs)
    return decided(answers, read_limits(folder / "model"))


def opened_model(folder: Path, recipe: Recipe) -> Any:
    """What answers rows as the run's model does."""
    if TASKS[recipe.task] in UNLABELLED:
        if is_served(folder / "model"):
            raise RunError(
                f"the model of run {folder.name} is at a service, which tells no losses to compare",
                fix=f"look at what it writes: tunewright evaluate {folder.name}",
            )
        return open_language(folder / "model", base_folder(recipe), recipe)
    return open_predictor(folder / "model")


def done_run(run: str | Path) -> tuple[Path, Recipe]:
    """The folder and recipe of a run that has a model. Raises RunError when it has none."""
    folder = find_run(run)
    state = read_state(folder)
    if state["state"] != "done" or not (folder / "model").is_dir():
        raise RunError(
            f"run {folder.name} has no finished model (it is {state['state']}, "
            f"stage {state['stage']})",
            fix=f"wait until it is done: tunewright runs show {folder.name}"
            if state["state"] == "running"
            else f"tunewright run --resume {folder.name}",
        )
    return folder, load_recipe(folder / "recipe.yaml")


def prepared_as_then(folder: Path, recipe: Recipe, beside: Sequence[str] = ()) -> Prepared:
    """The parts as they were when the run was trained.

    Args:
        beside: names of columns that are kept with the rows.
    """
    prepared = prepare(recipe.data, recipe.seed, folder, task=recipe.task, beside=beside)
    if prepared.data_hash != read_state(folder)["data_hash"]:
        raise DataError(
            f"the data of run {folder.name} changed since it was trained",
            fix="restore the data, or start a new run",
        )
    return prepared


def _refuse_known_rows(folder: Path, rows: Rows, name: str) -> None:
    """No sealed row may be looked at; rows that were learned would flatter the model."""
    with (folder / "data" / "splits.csv").open(encoding="utf-8", newline="") as file:
        part_of = {row["id"][:CONTENT_DIGITS]: row["part"] for row in csv.DictReader(file)}
    found = [part_of.get(row_id[:CONTENT_DIGITS]) for row_id in rows.ids]
    if "test" in found:
        raise SealError(
            f"{found.count('test')} of the {len(rows)} rows of {name} are in this run's sealed "
            "test part",
            fix=f"use other rows, or open the seal: tunewright test {folder.name}",
        )
    if "train" in found:
        raise DataError(
            f"{found.count('train')} of the {len(rows)} rows of {name} are rows that the model "
            "was trained on",
            fix="use rows that the model has not seen",
        )
