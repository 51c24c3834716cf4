"""Compares runs: paired differences on the same rows, and only the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.data.labels import targets
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows
from tunewright.durable import read_lines
from tunewright.errors import RecipeError, RunError
from tunewright.evaluation.changed import Pair, to_read
from tunewright.evaluation.compared_page import write_comparison
from tunewright.evaluation.comparison import compared
from tunewright.evaluation.facts import curves
from tunewright.evaluation.intervals import bootstrap
from tunewright.history.result import read_result
from tunewright.judging import answers_of_run, done_run, given_rows, prepared_as_then
from tunewright.recipe.metric_names import judged_by
from tunewright.recipe.schema import TASKS, Recipe
from tunewright.train.checkpoint import flat

FEWEST_ROWS = 20
SCHEMA_VERSION = 1
NOT_SETTINGS = ("name", "test.open")


@dataclass(frozen=True)
class Opened:
    """A run that is held against others."""

    folder: Path
    recipe: Recipe
    prepared: Prepared

    @property
    def name(self) -> str:
        return self.folder.name


def compare(
    *runs: str | Path, data: str | Path | None = None, html: str | Path | None = None
) -> dict[str, Any]:
    """Every run against the first one, on rows that none of them was trained on.

    Args:
        runs: two or more, as `find_run` finds them.
        data: a labelled file, instead of the validation rows that all of them have.
        html: where to write the page.
    Returns:
        {"schema_version", "on", "rows", "metric", "settings", "runs", "differences", "note"};
        settings are key → the value in each run, only those that differ.
    Raises:
        RecipeError: fewer than two runs. RunError: they answer different questions, or share too
            few validation rows. SealError, DataError: as for `evaluate`.
    """
    opened = [opened_run(run) for run in runs]
    if len({run.folder for run in opened}) < 2 or len({run.folder for run in opened}) < len(opened):
        raise RecipeError("two or more different runs are compared", fix="tunewright compare A B")
    _refuse_unlike(opened)
    first = opened[0]
    rows = shared_rows(opened) if data is None else _rows_of_file(opened, data)
    labels = targets(rows, first.prepared.labels, TASKS[first.recipe.task])
    metric: Any = judged_by(first.recipe.evaluate.metric, first.recipe.task)
    answers = [answers_of_run(run.folder, run.recipe, rows) for run in opened]
    drawn: dict[str, Any] = {
        "resamples": first.recipe.evaluate.resamples,
        "seed": first.recipe.seed,
    }
    found = {
        "schema_version": SCHEMA_VERSION,
        "on": "validation" if data is None else str(data),
        "rows": len(rows),
        "metric": metric,
        "settings": _differing(opened),
        "runs": [
            {
                "run": run.name,
                "score": bootstrap([metric], said, labels, **drawn)[metric],
                "train": _training(run),
            }
            for run, said in zip(opened, answers, strict=True)
        ],
        "differences": [
            {"run": run.name, "against": first.name}
            | _with_rows(
                compared(
                    metric,
                    (said, answers[0]),
                    labels,
                    (run.name, first.name),
                    comparisons=len(opened) - 1,
                    **drawn,
                ),
                (said, answers[0]),
                labels,
                rows,
                first.prepared.labels,
            )
            for run, said in list(zip(opened, answers, strict=True))[1:]
        ],
        "note": "one run of each: another seed may move a score by more than this interval, "
        "which is over rows alone",
    }
    if html is not None:
        write_comparison(Path(html), found, _curves(opened))
    return found


def opened_run(run: str | Path) -> Opened:
    """A run that is done, with its rows. Raises RunError, DataError."""
    folder, recipe = done_run(run)
    return Opened(folder, recipe, prepared_as_then(folder, recipe))


def _refuse_unlike(runs: Sequence[Opened]) -> None:
    """Raise where the runs answer different questions."""
    first = runs[0]
    for run in runs[1:]:
        if run.recipe.task != first.recipe.task:
            raise RunError(
                f"{first.name} is {first.recipe.task} and {run.name} is {run.recipe.task}",
                fix="compare runs of one task",
            )
        if run.prepared.labels != first.prepared.labels:
            raise RunError(
                f"{first.name} and {run.name} have different labels",
                fix="compare runs that were trained on the same classes",
            )


def shared_rows(runs: Sequence[Opened]) -> Rows:
    """Validation rows that every run has there: no run was trained on one of them."""
    rows = runs[0].prepared.validation
    shared = reduce(set.intersection, (set(run.prepared.validation.ids) for run in runs))
    if len(shared) < FEWEST_ROWS:
        least = min(len(run.prepared.validation) for run in runs)
        unlike = least >= FEWEST_ROWS
        raise RunError(
            f"the runs have {len(shared)} validation rows in common, expected {FEWEST_ROWS} or "
            f"more: {'their data or seeds differ' if unlike else f'one has {least} in all'}",
            fix=f"{'compare runs of one seed' if unlike else 'validate on more rows'}, or compare "
            "on a labelled file: --data FILE",
        )
    return rows.take([at for at, row in enumerate(rows.ids) if row in shared])


def _rows_of_file(runs: Sequence[Opened], data: str | Path) -> Rows:
    """The rows of a file that no run was trained on, and that none has sealed."""
    first, *others = (given_rows(run.folder, run.prepared, data) for run in runs)
    del others  # read for what they refuse
    return first


def _differing(runs: Sequence[Opened]) -> dict[str, list[Any]]:
    """Key → the value in each run, of those settings that differ."""
    flats = [flat(run.recipe.model_dump(mode="json")) for run in runs]
    keys = dict.fromkeys(key for each in flats for key in each)
    values = {key: [each.get(key) for each in flats] for key in keys if key not in NOT_SETTINGS}
    return {key: some for key, some in values.items() if any(one != some[0] for one in some)}


def _training(run: Opened) -> dict[str, Any]:
    trained = read_result(run.folder)["train"]
    return {key: trained[key] for key in ("best_step", "wall_s", "peak_memory_mib")}


def _with_rows(
    found: dict[str, Any],
    pair: Pair,
    labels: np.ndarray,
    rows: Rows,
    names: Sequence[str],
) -> dict[str, Any]:
    """The rows that changed, counted, and the first of them to read."""
    for side in ("fixed", "broken"):
        at = found[side]
        found[f"num_{side}"] = None if at is None else len(at)
        found[side] = to_read(at, pair, labels, names, rows) if at else []
    return found


def _curves(runs: Sequence[Opened]) -> dict[str, Any]:
    return {
        run.name: curves(
            read_lines(run.folder / "events.jsonl"),
            judged_by(run.recipe.evaluate.metric, run.recipe.task),
        )
        for run in runs
    }
