"""Plans: kept in the cache, found by the run that does what was planned, and compared with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunewright.cache import cache_folder
from tunewright.durable import make_folder, write_json

PLAN_FILE = "plan.json"
MIB = 1 << 20


def plans_folder() -> Path:
    """Where plans are kept."""
    return cache_folder() / "plans"


def keep_plan(plan: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Write a plan where a run finds it.

    Args:
        fixed: all that decides the run: resolved recipe, data, model, versions.
    """
    write_json(_place(fixed, make_folder(plans_folder())), plan)


def take_plan(run: Path, fixed: Mapping[str, Any]) -> None:
    """Copy the plan of just this run into its folder, if one was made."""
    place = _place(fixed, plans_folder())
    if place.is_file():
        write_json(run / PLAN_FILE, json.loads(place.read_text("utf-8")))


def read_plan(run: Path) -> dict[str, Any] | None:
    """The plan in a run's folder, None where there is none."""
    place = run / PLAN_FILE
    return dict(json.loads(place.read_text("utf-8"))) if place.is_file() else None


def compared(
    plan: Mapping[str, Any],
    phases: Sequence[Mapping[str, Any]],
    *,
    wall_s: float,
    peak_memory_mib: float | None,
    disk_mib: float,
) -> dict[str, Any]:
    """What was planned beside what happened, as result.json and the report show it.

    Args:
        phases: as in result.json. disk_mib: of the run's folder when training is over.
    """
    steps = [int(phase["last_step"]) - int(phase["first_step"]) for phase in phases]
    return {
        "seconds": {
            "planned": seconds_of_steps(plan, steps),
            "least": plan["seconds"]["least"],
            "most": plan["seconds"]["most"],
            "happened": wall_s,
        },
        "peak_memory_mib": {"planned": plan["peak_memory_mib"], "happened": peak_memory_mib},
        "disk_mib": {"planned": plan["disk_mib"]["run"], "happened": round(disk_mib, 1)},
    }


def seconds_of_steps(plan: Mapping[str, Any], steps: Sequence[int]) -> float:
    """Seconds of the whole run by a plan, had each phase so many steps; early stopping decides."""
    total = float(plan["seconds"]["outside_phases"])
    for phase, taken in zip(plan["phases"], steps, strict=True):
        share = 1.0
        if phase["steps"] > phase["least_steps"]:
            share = (taken - phase["least_steps"]) / (phase["steps"] - phase["least_steps"])
        least, most = phase["seconds"]["least"], phase["seconds"]["most"]
        total += least + share * (most - least)
    return round(total, 1)


def folder_mib(folder: Path) -> float:
    """What the files of a folder take."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / MIB


def _place(fixed: Mapping[str, Any], folder: Path) -> Path:
    text = json.dumps(fixed, sort_keys=True, default=str)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
