"""The rehearsal of a run, in a process of its own: the same stages, with a few steps of each phase.

Run as a module: the recipe comes on stdin; events go to stdout, one JSON object a line, the last
of them the plan or the error.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from tunewright.durable import read_lines
from tunewright.errors import TunewrightError
from tunewright.history.folder import ASKED_FILE, create_run
from tunewright.history.memory import forget_peak, peak_memory_mib
from tunewright.history.plans import MIB, folder_mib
from tunewright.history.result import read_result
from tunewright.life import live
from tunewright.recipe.load import load_recipe
from tunewright.stages import Begins
from tunewright.train.checkpoint import KEEP, complete_checkpoints, read_progress
from tunewright.train.events import Events, Listener
from tunewright.train.interrupt import StopRequest
from tunewright.train.largest_batch import largest_batch
from tunewright.train.loop import Progress
from tunewright.train.passes import ShortPasses, rehearsed
from tunewright.train.rehearsal import PhaseCost, Rehearsal, planned_seconds

MARGIN = 1.01  # a run of many steps leaves a little more in memory than its rehearsal
FREE_SHARE = 0.9  # of the free memory that the largest batch may take


def rehearse(asked: str, listener: Listener) -> dict[str, Any]:
    """Live through a recipe's stages in short; the plan, and what is `fixed` in the run.

    Args:
        asked: the recipe in YAML.
    """
    began = time.monotonic()
    folder = create_run("plan", asked)
    recipe = load_recipe(folder / ASKED_FILE)
    passes, loops = ShortPasses(), list[Rehearsal]()
    with contextlib.ExitStack() as within:

        def listen(event: dict[str, Any]) -> None:
            if event["event"] == "adapted":  # what was chosen till then was chosen on all rows
                within.enter_context(rehearsed(passes))
            listener(event)

        stop = within.enter_context(StopRequest())
        events = within.enter_context(
            contextlib.closing(Events(folder / "events.jsonl", (listen,)))
        )
        make: Any = functools.partial(_remembered, loops)
        live(folder, recipe, events, stop, Begins(None, folder, events), test=False, loop=make)
        plan = _plan(folder, loops[0], passes)
        plan["largest_batch"] = _largest_batch(loops[0], passes)
        plan["resume"] = _resume(loops[0])
    plan["took_s"] = round(time.monotonic() - began, 1)
    newest = complete_checkpoints(folder / "checkpoints")[-1:]
    return {"plan": plan, "fixed": read_progress(newest[0])["fixed"] if newest else None}


def _remembered(loops: list[Rehearsal], **parts: Any) -> Rehearsal:
    loops.append(Rehearsal(**parts))
    return loops[-1]


def _plan(folder: Path, loop: Rehearsal, passes: ShortPasses) -> dict[str, Any]:
    """What the whole run would take, from what its rehearsal took."""
    peak = peak_memory_mib()
    result = read_result(folder)
    whole_s = result["train"]["wall_s"] + passes.left_out_s
    outside_s = whole_s - sum(cost.rehearsed_s for cost in loop.costs)
    least_s, most_s = planned_seconds(loop.costs)
    events = {event["event"]: event for event in read_lines(folder / "events.jsonl")}
    return {
        "schema_version": 1,
        "model": result["model"]["base"],
        "device": loop.backend.device_type,
        "rows": events["prepared"]["rows"],
        "seconds": {
            "least": round(outside_s + least_s, 1),
            "most": round(outside_s + most_s, 1),
            "outside_phases": round(outside_s, 2),
        },
        "phases": [_phase(cost) for cost in loop.costs],
        "peak_memory_mib": None if peak is None else round(MARGIN * peak, 1),
        "disk_mib": _disk(folder, loop.costs),
        "tokens": _tokens(loop),
        "price": None,
        "not_planned": _not_planned(result),
    }


def _phase(cost: PhaseCost) -> dict[str, Any]:
    facts = {
        key: round(value, 4) if isinstance(value, float) else value
        for key, value in asdict(cost).items()
    }
    of_least, of_most = (cost.seconds(steps) for steps in (cost.least_steps, cost.steps))
    return facts | {"seconds": {"least": round(of_least, 2), "most": round(of_most, 2)}}


def _disk(folder: Path, costs: list[PhaseCost]) -> dict[str, float]:
    """MiB of the run's folder at the end of training, and of what is beside it meanwhile."""
    saved = complete_checkpoints(folder / "checkpoints")
    checkpoint = folder_mib(saved[-1]) if saved else 0.0
    kept = sum(folder_mib(each) for each in saved)
    saves = 1 + int(sum(cost.saves(cost.seconds(cost.steps)) for cost in costs))  # one at the end
    run = folder_mib(folder) - kept + checkpoint * min(KEEP, saves)
    return {
        "run": round(run, 1),
        "checkpoint": round(checkpoint, 1),
        "model": round(folder_mib(folder / "model"), 1),
        "meanwhile": round(
            run + checkpoint + max((cost.cached_on_disk_mib for cost in costs), default=0.0), 1
        ),
    }


def _tokens(loop: Rehearsal) -> dict[str, int]:
    each = int(loop.lengths.sum())
    epochs = sum(phase.epochs for phase in loop.plan.phases)
    validation = int(loop.backend.parts["validation"].inputs.lengths.sum())
    return {"epoch": each, "trained": each * epochs, "validation": validation}


def _not_planned(result: Mapping[str, Any]) -> list[str]:
    out = ["price: nothing here is a priced service"]
    if not result["baselines"] or "base" in result["baselines"]:
        out.append("the answers that are written before and after training: their time")
    return out


def _largest_batch(loop: Rehearsal, passes: ShortPasses) -> dict[str, Any] | None:
    """Found in the last phase, which trains most; None where peaks cannot be told apart."""
    last = loop.plan.phases[-1]
    if loop.backend.device_type != "cpu" or not last.epochs or forget_peak() is None:
        return None
    progress = Progress(phase=len(loop.plan.phases) - 1)

    def step(rows: int) -> tuple[float, float]:
        forget_peak()
        seconds = loop.timed_step(loop.longest_rows(rows), progress)
        return peak_memory_mib() or 0.0, seconds

    process = psutil.Process()
    free = FREE_SHARE * psutil.virtual_memory().available
    limit_mib = (process.memory_info().rss + free) / MIB
    size = loop.plan.batch_size
    found = largest_batch(step, start=size, rows=len(loop.lengths), limit_mib=limit_mib)
    return {**asdict(found), "limit_mib": round(limit_mib, 1), "recipe": size}


def _resume(loop: Rehearsal) -> dict[str, Any] | None:
    """What going on from a checkpoint takes, beside preparing anew."""
    forget_peak()
    started = time.monotonic()
    if loop.checkpoints.resume() is None:
        return None
    loop.backend.load_state(loop.checkpoints.resumed_from())
    seconds = round(time.monotonic() - started, 2)
    return {"seconds": seconds, "peak_memory_mib": peak_memory_mib()}


def main() -> None:
    """Read a recipe from stdin; say what happens, then the plan or the error, on stdout."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)  # what libraries print is no event

        def say(event: dict[str, Any]) -> None:
            out.write(json.dumps(event, default=str) + "\n")
            out.flush()

        try:
            say({"event": "planned", **rehearse(sys.stdin.read(), say)})
        except TunewrightError as error:
            kind = type(error).__name__
            say({"event": "refused", "kind": kind, "what": error.what, "fix": error.fix})
            sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
