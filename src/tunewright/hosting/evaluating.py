"""The stage `evaluate` where a service trained: the model judged, and all that is written of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.data.prepare import Prepared
from tunewright.durable import read_lines, write_json
from tunewright.evaluation import facts as report_facts
from tunewright.evaluation.baselines import FittedBaseline
from tunewright.evaluation.judge import Judgement
from tunewright.few_shot import NAME as FEW_SHOT
from tunewright.history.memory import peak_memory_mib
from tunewright.history.result import write_result
from tunewright.hosting.judging import judge_part, shots_of
from tunewright.hosting.training import Trained
from tunewright.publishing import publish, report_of_run
from tunewright.recipe.defaults import Choice
from tunewright.recipe.schema import UNLABELLED, Recipe
from tunewright.train.events import Events


def evaluate_validation(
    folder: Path,
    recipe: Recipe,
    choices: Sequence[Choice],
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    trained: Trained,
    base: str,
    events: Events,
) -> None:
    """Judge the model on validation; write result.json, the model card and the report.

    Args:
        base: the untouched model, for people.
    """
    events.emit("writing", rows=recipe.evaluate.answers or len(prepared.validation))
    judged, shown = judge_part(
        folder, prepared.validation, prepared, baselines, recipe, "validation", 1
    )
    left_out = _left_out(prepared, recipe)
    result = _result(folder, recipe, judged, trained, base) | {"baselines_left_out": left_out}
    if (written := shown.get("written")) is not None:
        result["answers"] = {key: written[key] for key in ("rows", "metrics")}
    write_result(folder, result)
    report = report_of_run(folder, recipe, choices, prepared, baselines, trained.history)
    more: dict[str, Any] = {
        "part": "validation",
        "tokens": [],
        "advice": [],
        "learning_curve": [],
        "licence": None,
    }
    write_json(folder / "data" / "report.json", report | more | shown | {"left_out": left_out})
    publish(folder, judged)
    events.emit("verdict", part="validation", **judged.verdict, advice=[])


def _result(
    folder: Path, recipe: Recipe, judged: Judgement, trained: Trained, base: str
) -> dict[str, Any]:
    """What result.json says, as far as it is the same whatever was asked."""
    return {
        "task": recipe.task,
        "metric": recipe.evaluate.metric,
        "validation": judged.scores,
        "test": None,
        "baselines": judged.baselines,
        "verdict": judged.verdict,
        "train": {
            "phases": [trained.record],
            "best_step": trained.record["best_step"],
            "wall_s": report_facts.wall_s(read_lines(folder / "events.jsonl"), time.time()),
            "peak_memory_mib": peak_memory_mib(),
            "trained_tokens": trained.job.trained_tokens,
        },
        "model": {
            "base": base,
            "path": str(folder / "model"),
            "parameters": None,
            "trainable_parameters": None,
            "name": trained.job.fine_tuned_model,
            "job": trained.job.id,
        },
    }


def _left_out(prepared: Prepared, recipe: Recipe) -> dict[str, str]:
    """Why the untouched model is not asked in some ways."""
    if prepared.kind not in UNLABELLED:
        return {}
    examples = shots_of(prepared.train, recipe)
    return {FEW_SHOT: examples} if isinstance(examples, str) else {}
