"""The process that trains one job: an ordinary run that also hands out the model of each epoch.

It knows no database. It stops, with a checkpoint, when whoever started it is gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright.backends.base import Backend
from tunewright.durable import make_folder, replacing_folder
from tunewright.errors import TunewrightError
from tunewright.life import go_on
from tunewright.recipe.load import load_recipe
from tunewright.serve.jobs.job_recipes import NAMES
from tunewright.train.events import Events
from tunewright.train.interrupt import Interrupted
from tunewright.train.loop import Loop, Plan, Progress

MODELS = "models"
KEPT = 3


def main(run: Path) -> int:
    """Train, or go on; 0 done, 1 failed, 2 a wrong request, 143 stopped with a checkpoint."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        train(run)
    except TunewrightError as error:
        sys.stderr.write(f"error: {error.what}\nfix: {error.fix}\n")
        return error.exit_code
    except Interrupted as stopped:
        return stopped.exit_code
    return 0


def train(run: Path) -> None:
    """The life of a job's run: to its verdict on the validation file, or, without one, to its model."""
    validated = (run / "files" / NAMES["validation_file"]).is_file()
    go_on(
        run,
        until="evaluate" if validated else "train",
        loop=_loop_of(run),
        ends=True,
    )


def _loop_of(run: Path) -> Callable[..., Loop]:
    def make(**parts: Any) -> Loop:
        events: Events = parts["events"]

        def snapshot(backend: Backend, progress: Progress) -> None:
            save_snapshot(run, backend, progress.step)
            events.emit("model_saved", step=progress.step)
            events.sync()

        loop = Loop(**parts, snapshot=snapshot)
        events.emit("job_plan", **_totals(loop, run))
        return loop

    return make


def _totals(loop: Loop, run: Path) -> dict[str, Any]:
    """What is known before the first step: steps and tokens of all epochs."""
    plan: Plan = loop.plan
    epochs = sum(phase.epochs for phase in plan.phases)
    recipe: Any = load_recipe(run / "recipe.yaml")
    return {
        "steps": sum(phase.epochs * loop.per_epoch(phase) for phase in plan.phases),
        "tokens": int(loop.lengths.sum()) * max(1, epochs),
        "n_epochs": recipe.train.epochs,
        "batch_size": plan.batch_size,
    }


def save_snapshot(run: Path, backend: Backend, step: int) -> None:
    """Write the model as it is now to models/step-N; the last three are kept."""
    folder = make_folder(run / MODELS)
    with replacing_folder(folder / f"step-{step}") as staged:
        backend.save_model(staged)
    there = sorted(folder.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    for old in there[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _stop_with_parent() -> None:
    """Whoever started this process holds the other end of its stdin."""
    while os.read(sys.stdin.fileno(), 1):  # a buffered reader would hold its lock at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
