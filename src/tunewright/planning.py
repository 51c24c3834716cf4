"""What a run would take, before it is paid: measured in the rehearsal of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tunewright import errors
from tunewright.durable import make_folder
from tunewright.history.plans import keep_plan, plans_folder
from tunewright.history.request import read_request, refuse_search
from tunewright.recipe.write import as_yaml
from tunewright.train.events import Listener
from tunewright.train.interrupt import StopRequest
from tunewright.warm_start import with_weights_of_run


def plan(
    source: str | Path | None = None,
    *,
    settings: Sequence[str] = (),
    listeners: tuple[Listener, ...] = (),
    **keys: Any,
) -> dict[str, Any]:
    """Peak memory, seconds, disk, tokens and the largest batch of a run, measured in short.

    Another process goes through all stages in a temporary folder, with a few true steps of every
    phase, the first of them on the longest rows. Nothing is left but the plan, in the cache, where
    the run of the same recipe on the same data finds it.

    Args:
        source: a recipe, a data file, a folder with train/validation/test files, a data set id.
        settings: recipe settings as `a.b=c`.
        listeners: called with every event of the rehearsal.
        keys: recipe keys, such as `model="minilm"` or `data="tickets.csv"`.
    Raises:
        TunewrightError: as of `run`; FailedRunError where it would not fit in memory.
    """
    recipe = with_weights_of_run(read_request(source, keys, settings))
    refuse_search(recipe)
    if recipe.data.train is None:
        raise errors.RecipeError(
            "no data is named", fix="tunewright plan DATA.csv, or give data.train"
        )
    make_folder(plans_folder())
    with StopRequest(), tempfile.TemporaryDirectory(dir=plans_folder(), prefix=".") as runs:
        last = _rehearsed(as_yaml(recipe, {}), Path(runs), listeners)
    if last.get("event") != "planned":
        _refuse(last)
    if last["fixed"] is not None:
        keep_plan(last["plan"], last["fixed"])
    return dict(last["plan"])


def _rehearsed(asked: str, runs: Path, listeners: tuple[Listener, ...]) -> dict[str, Any]:
    """The last event of the rehearsal; its errors that are no user's go to stderr."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tunewright.rehearsing"],
        env={**os.environ, "TUNEWRIGHT_RUNS": str(runs)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    last: dict[str, Any] = {}
    try:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a process without pipes")
        child.stdin.write(asked)
        child.stdin.close()
        for line in child.stdout:
            last = json.loads(line)
            for listener in listeners:
                listener(last)
        child.stdout.close()
        return last | {"code": child.wait()}
    except BaseException:
        child.kill()
        child.wait()
        raise


def _refuse(last: dict[str, Any]) -> NoReturn:
    """Raise what ended the rehearsal."""
    if last.get("event") == "refused":
        kind = getattr(errors, str(last["kind"]), errors.TunewrightError)
        error = kind.__new__(kind)
        errors.TunewrightError.__init__(error, last["what"], fix=last["fix"])
        raise error
    if last["code"] == -9:
        raise errors.FailedRunError(
            "the rehearsal was killed by the system: the run does not fit in memory",
            fix="take a smaller model, adapt.method lora, or a smaller train.max_length",
        )
    raise errors.FailedRunError(
        f"the rehearsal ended with code {last['code']}, and no plan",
        fix="what it said is above; run again, and report what it prints",
    )
