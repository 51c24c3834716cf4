"""The stage `evaluate`: the model judged on validation, and all that is written of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.adapting import Adapted
from tunewright.advising import next_steps
from tunewright.answering import answers_before_and_after
from tunewright.baselining import left_out
from tunewright.data.prepare import Prepared
from tunewright.data.rows import joined_texts
from tunewright.deciding import fit_limits, read_limits
from tunewright.durable import read_lines, write_json
from tunewright.evaluation import facts as report_facts
from tunewright.evaluation.baselines import FittedBaseline, answered
from tunewright.evaluation.decided import decided
from tunewright.evaluation.judge import against_best, details, judge, sliced
from tunewright.evaluation.thresholds import change
from tunewright.forgotten import forgotten
from tunewright.history.memory import peak_memory_mib
from tunewright.history.plans import compared, folder_mib, read_plan
from tunewright.history.result import write_result
from tunewright.pretrained.catalog import ModelSource
from tunewright.publishing import publish, report_of_run
from tunewright.recipe.metric_names import judged_by
from tunewright.token_truth import token_rows
from tunewright.train.events import Events
from tunewright.train.loop import Progress
from tunewright.train.passes import in_rehearsal

SHOWN_ROWS = 3  # with the truth about their tokens


def evaluate_validation(
    folder: Path,
    adapted: Adapted,
    source: ModelSource,
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    progress: Progress,
    events: Events,
) -> None:
    """Judge the model on validation; write result.json, the model card and the report."""
    recipe = adapted.recipe
    metric = judged_by(recipe.evaluate.metric, recipe.task)
    answers = decided(adapted.backend.answers("validation"), read_limits(folder / "model"))
    labels = prepared.targets_of("validation")
    texts = joined_texts(prepared.validation)
    said, took = answered(baselines, prepared.validation)
    theirs = {
        name: decided(each, fit_limits(recipe, each, prepared)) for name, each in said.items()
    }
    judged = judge(
        "validation",
        answers,
        labels,
        theirs,
        metric=metric,
        resamples=recipe.evaluate.resamples,
        seed=recipe.seed,
    )
    result: dict[str, Any] = {
        "task": recipe.task,
        "metric": metric,
        "validation": judged.scores,
        "test": None,
        "baselines": judged.baselines,
        "baseline_seconds": took,
        "baselines_left_out": left_out(prepared, recipe),
        "verdict": judged.verdict,
        "train": {
            "phases": progress.records,
            "best_step": progress.best.step,
            "wall_s": report_facts.wall_s(read_lines(folder / "events.jsonl"), time.time()),
            "peak_memory_mib": peak_memory_mib(),
        },
        "model": {
            "base": source.base,
            "path": str(folder / "model"),
            "parameters": adapted.backend.parameters,
            "trainable_parameters": max(r["trainable_parameters"] for r in progress.records),
        },
    }
    written = None
    if recipe.evaluate.answers and not in_rehearsal():
        asked = min(recipe.evaluate.answers, len(prepared.validation))
        events.emit("writing", rows=asked)
        written = answers_before_and_after(
            folder / "model", source.path, prepared.validation, recipe, train=prepared.train
        )
    if written is not None:
        result["answers"] = {key: written[key] for key in ("rows", "metrics")}
    result["forgetting"] = forgotten(folder / "model", source.path, recipe)
    if result["forgetting"] is not None:
        told = {key: result["forgetting"][key] for key in ("sentence", "matters")}
        events.emit("forgetting", **told)
    planned = read_plan(folder)
    if planned is not None:
        result["plan"] = _beside_plan(folder, planned, result["train"])
    write_result(folder, result)
    places = [prepared.validation.place(row) for row in range(len(labels))]
    shown = {
        **report_of_run(folder, recipe, adapted.choices, prepared, baselines, progress.history),
        "part": "validation",
        **details(answers, labels, texts, prepared.labels, places, prepared.columns.reads),
    }
    rows, names = prepared.validation, prepared.labels
    shown["changed"] = against_best(judged, answers, theirs, labels, rows, names)
    shown["thresholds"] = change(metric, answers, labels, names)
    found = prepared.findings.findings
    shown["slices"] = sliced(metric, answers, labels, prepared.validation, found, recipe)
    shown |= next_steps(folder, adapted, prepared, progress, judged.verdict, metric)
    shown["written"] = written
    shown["baseline_seconds"], shown["left_out"] = took, result["baselines_left_out"]
    shown["tokens"] = []
    if prepared.columns.form is not None:
        first = range(min(SHOWN_ROWS, len(prepared.train)))
        shown["tokens"] = token_rows(source.path, recipe, prepared.train, first)
    write_json(folder / "data" / "report.json", shown | {"licence": source.licence})
    publish(folder, judged)
    advice = [{key: each[key] for key in ("what", "evidence")} for each in shown["advice"]]
    events.emit("verdict", part="validation", **judged.verdict, advice=advice)


def _beside_plan(folder: Path, plan: dict[str, Any], trained: dict[str, Any]) -> dict[str, Any]:
    return compared(
        plan,
        trained["phases"],
        wall_s=trained["wall_s"],
        peak_memory_mib=trained["peak_memory_mib"],
        disk_mib=folder_mib(folder),
    )
