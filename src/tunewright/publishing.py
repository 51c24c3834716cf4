"""Writes what a run shows to people: the report and the model card."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunewright.backends.served import NO_LABEL, is_served
from tunewright.data.prepare import Prepared, split_facts
from tunewright.data.seal import looks, read_seal
from tunewright.durable import read_lines, write_json, write_text
from tunewright.errors import FailedRunError, TunewrightError
from tunewright.evaluation import facts as report_facts
from tunewright.evaluation.baselines import FittedBaseline
from tunewright.evaluation.judge import Judgement
from tunewright.evaluation.report import write_report
from tunewright.evaluation.suspects import suspects
from tunewright.evaluation.thumbnails import with_thumbnails
from tunewright.export.card import model_card
from tunewright.history.result import read_result
from tunewright.history.state import read_state
from tunewright.pretrained.folder import known_to_transformers
from tunewright.recipe.defaults import Choice
from tunewright.recipe.schema import Recipe


def report_of_run(
    folder: Path,
    recipe: Recipe,
    choices: Sequence[Choice],
    prepared: Prepared,
    baselines: Sequence[FittedBaseline],
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The parts of the report that do not change when the seal is opened.

    Args:
        history: every evaluation on validation, its step and scores.
    """
    return {
        **_of_training(folder, recipe, history),
        "labels": list(prepared.labels),
        "baseline_rows": {b.name: b.rows for b in baselines if 0 < b.rows < len(prepared.train)},
        "split": split_facts(prepared),
        "findings": [_without_rows(each) for each in prepared.findings.as_json()["findings"]],
        "suspects": suspects(prepared.findings.findings, prepared.columns.reads),
        "choices": [{"key": key, "value": value, "reason": why} for key, value, why in choices],
        "commands": report_facts.commands(folder),
    }


def _without_rows(finding: Mapping[str, Any]) -> dict[str, Any]:
    """As the report shows it: rows may be of the sealed part."""
    return {key: value for key, value in finding.items() if key != "rows"}


def report_failure(folder: Path, recipe: Recipe, error: FailedRunError) -> None:
    """Write the report of a training that could not go on: why, and how far it came."""
    with contextlib.suppress(TunewrightError, OSError):  # a full disk has no room for it either
        shown = _of_training(folder, recipe)
        failure = {"what": error.what, "fix": error.fix}
        facts = {"state": "failed", "failure": failure, "metric": recipe.evaluate.metric}
        write_report(folder / "report.html", {**shown, **facts})


def _of_training(
    folder: Path, recipe: Recipe, history: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """What there is to show once training has begun."""
    events = read_lines(folder / "events.jsonl")
    return {
        "title": f"{recipe.name or Path(str(recipe.data.train)).stem}",
        "run_id": folder.name,
        "created": read_state(folder)["created"],
        "curves": report_facts.curves(events, recipe.evaluate.metric, history),
        "not_finite": report_facts.not_finite(events),
        "recipe_yaml": (folder / "recipe.yaml").read_text("utf-8"),
        "versions": report_facts.versions(),
    }


def publish(folder: Path, judged: Judgement, changes: Mapping[str, Any] | None = None) -> None:
    """Write the report and the model card from what the run folder says."""
    shown = json.loads((folder / "data" / "report.json").read_text("utf-8")) | dict(changes or {})
    for name in ("mistakes", "suspects"):
        shown[name] = with_thumbnails(shown.get(name, ()))
    result = read_result(folder)
    seal, served = read_seal(folder), is_served(folder / "model")
    baselines = {**shown.get("baselines", {}), judged.part: judged.baselines}
    shown |= {"baselines": baselines}
    write_json(folder / "data" / "report.json", shown)
    write_report(
        folder / "report.html",
        {
            **shown,
            "state": "done",
            "metric": result["metric"],
            "verdict": result["verdict"],
            "scores": {"validation": result["validation"], "test": _without_looks(result["test"])},
            "sealed": {"rows": seal["rows"], "looks": looks(folder)},
            "phases": result["train"]["phases"],
            "plan": result.get("plan"),
            "forgetting": result.get("forgetting"),
        },
    )
    write_text(
        folder / "model" / "README.md",
        model_card(
            title=shown["title"],
            base=result["model"]["base"],
            licence=shown["licence"],
            labels=[label for label in shown["labels"] if label != NO_LABEL],
            rows=shown["split"]["rows"],
            result=result,
            adapter=(folder / "model" / "adapter").is_dir(),
            in_transformers=not served and known_to_transformers(folder / "model"),
            served=served,
        ),
    )


def _without_looks(scores: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: score for name, score in scores.items() if name != "looks"} if scores else None
