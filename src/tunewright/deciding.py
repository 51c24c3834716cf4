"""From which share on a run's model answers a label: fitted on validation, kept with the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright import durable
from tunewright.backends.served import is_served
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows
from tunewright.errors import RecipeError
from tunewright.evaluation.baselines import FittedBaseline
from tunewright.evaluation.decided import decided
from tunewright.evaluation.thresholds import fitted
from tunewright.recipe.metric_names import judged_by
from tunewright.recipe.schema import Recipe

KEY = "decision_thresholds"
"""In config.json, label → threshold."""


def refuse_thresholds(recipe: Recipe, prepared: Prepared) -> None:
    """Raise RecipeError where thresholds are asked for and cannot be fitted; else do nothing.

    Args:
        recipe: resolved.
    """
    if recipe.evaluate.thresholds == "half":
        return
    why = None
    if prepared.kind not in ("one", "several"):
        why = f"a row of the task {recipe.task} has no labels"
    elif prepared.kind == "one" and len(prepared.labels) != 2:
        why = f"of {len(prepared.labels)} labels the likeliest is answered"
    elif recipe.evaluate.metric == "log_loss":
        why = "no threshold changes the deciding metric, log_loss"
    if why is not None:
        raise RecipeError(
            f"evaluate.thresholds is auto, but {why}",
            fix="leave it out: they are for two classes or several labels, and for a metric of "
            "answers such as macro_f1",
        )


def fit_limits(recipe: Recipe, shares: np.ndarray, prepared: Prepared) -> np.ndarray | None:
    """Thresholds (K,) for the deciding metric; None where the recipe asks for none.

    Args:
        recipe: resolved. shares: float (N, K), of the validation rows.
    """
    if recipe.evaluate.thresholds == "half":
        return None
    metric: Any = judged_by(recipe.evaluate.metric, recipe.task)
    return fitted(metric, shares, prepared.targets_of("validation"), seed=recipe.seed)


def write_limits(folder: Path, limits: dict[str, float]) -> None:
    """Keep thresholds, by label, in a model folder."""
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    durable.write_json(path, config | {KEY: limits})


def read_limits(folder: Path) -> np.ndarray | None:
    """The thresholds (K,) of a model folder; None where it has none."""
    if is_served(folder):
        return None
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if KEY not in config:
        return None
    names = config["id2label"]
    return np.array([config[KEY][names[number]] for number in sorted(names, key=int)])


def baseline_answers(
    baselines: Sequence[FittedBaseline], rows: Rows, prepared: Prepared, recipe: Recipe
) -> dict[str, np.ndarray]:
    """Name → answers; where the model has thresholds, each baseline has its own, fitted alike."""
    found = {}
    for each in baselines:
        answers = each.answers(rows)
        if recipe.evaluate.thresholds == "auto":
            known = answers if rows is prepared.validation else each.answers(prepared.validation)
            answers = decided(answers, fit_limits(recipe, known, prepared))
        found[each.name] = answers
    return found
