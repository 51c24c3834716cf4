"""Gathers what the report shows from what a run wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SHOWN_PACKAGES = (
    *("tunewright", "torch", "transformers", "peft", "scikit-learn", "numpy"),
    *("tensorflow", "keras", "keras-hub"),
)


def curves(
    events: Sequence[Mapping[str, Any]],
    metric: str,
    history: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Loss and scores by step, the best point by the deciding metric, and the phases' borders.

    Args:
        history: every evaluation, its step and scores; without it, what the events say.
    """
    train, validation, best, phases = [], [], [], []
    for event in events:
        if event["event"] == "steps":
            train.append({"step": event["step"], "loss": event["loss"]})
        elif event["event"] == "evaluated":
            validation.append({"step": event["step"], **event["scores"]})
        elif event["event"] == "phase_ended":
            phases.append({key: event[key] for key in ("name", "first_step", "last_step")})
    validation = validation if history is None else [dict(scores) for scores in history]
    by_step = {entry["step"]: entry for entry in validation}
    for event in events:
        best_step = event.get("best_step")
        if event["event"] == "phase_ended" and metric in by_step.get(best_step, ()):
            best = [{"step": best_step, "value": by_step[best_step][metric]}]
    return {
        "metric": metric,
        "train": _once_per_step(train),
        "validation": _once_per_step(validation),
        "best": best,
        "phases": phases,
    }


def not_finite(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each step whose loss or gradient was not a finite number: what, where, and what was done."""
    found = [
        {key: event[key] for key in ("step", "what", "places", "skipped")}
        for event in events
        if event["event"] == "not_finite"
    ]
    return _once_per_step(found)


def _once_per_step(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last entry of each step, in order: a resumed run may have repeated some."""
    return [entry for _, entry in sorted({entry["step"]: entry for entry in entries}.items())]


def wall_s(events: Sequence[Mapping[str, Any]], now: float) -> float:
    """Seconds that all processes of a run took, each from its first event to its last.

    Args:
        now: seconds since 1970; the newest process counts up to it.
    """
    first = [at for at, event in enumerate(events) if event.get("stage") == "choose"]
    ends = [events[at - 1]["time"] for at in first[1:]] + [now]
    spans = (end - events[at]["time"] for at, end in zip(first, ends, strict=True))
    return round(float(sum(spans)), 2)


def versions() -> dict[str, str]:
    """Name → version of the packages that decide the numbers."""
    found = {}
    for package in SHOWN_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commands(folder: Path) -> list[dict[str, str]]:
    """What to do next, for the reader to copy."""
    return [
        {"what": "Run it again", "command": f"tunewright run {folder / 'recipe.yaml'}"},
        {
            "what": "Look at the sealed test part; each look is counted",
            "command": f"tunewright test {folder.name}",
        },
        {"what": "Use the model", "command": f"tunewright predict {folder.name} FILE.csv"},
    ]
