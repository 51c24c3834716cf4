"""Before a winner is named, the best trials and the default recipe are run with other seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from tunewright.durable import make_folder
from tunewright.errors import TunewrightError
from tunewright.history.result import read_result
from tunewright.train.events import Listener
from tunewright.train.interrupt import StopRequest
from tunewright.tuning.desk import Desk
from tunewright.tuning.queue import DEFAULT, create_trial
from tunewright.tuning.study import Study
from tunewright.tuning.table import Row
from tunewright.tuning.trial import answers_of, is_over, run_trial


@dataclass(frozen=True)
class Repeat:
    """One more run of a trial's settings."""

    row: Row
    seed: int
    folder: Path


def finalists(rows: Sequence[Row], most: int, *, higher: bool) -> list[Row]:
    """The best trials that went to their end, the best first, and the default one."""
    ended = [row for row in rows if row.state == "complete" and row.same_as is None]
    ranked = sorted(ended, key=lambda row: row.value or 0.0, reverse=higher)
    best = ranked[:most]
    return best + [row for row in ended if row.kind == DEFAULT and row not in best]


def repeats(study: Study, desk: Desk, chosen: Sequence[Row]) -> list[Repeat]:
    """Each of them with each seed that it has not had."""
    first, seeds = desk.recipe.seed, desk.recipe.tune.seeds
    return [
        Repeat(row, seed, study.folder / "repeats" / f"{row.folder.name}-seed-{seed}")
        for seed in range(first + 1, first + seeds)
        for row in chosen
    ]


def repeat_all(
    todo: Sequence[Repeat],
    desk: Desk,
    stop: StopRequest,
    threads: Callable[[], int],
    listeners: tuple[Listener, ...],
) -> int:
    """Run those that nobody has run, or is running; how many are still being run by others."""
    held = 0
    for each in todo:
        make_folder(each.folder.parent)
        lock = filelock.FileLock(each.folder.with_name(f".{each.folder.name}.lock"), timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            held += 1
            continue
        try:
            if not (is_over(each.folder) or _failed(each.folder)):
                if not each.folder.exists():
                    create_trial(
                        desk, each.folder, each.row.settings, threads(), f"seed={each.seed}"
                    )
                _run(each, desk, stop, listeners)
        finally:
            lock.release()
    return held


def _run(each: Repeat, desk: Desk, stop: StopRequest, listeners: tuple[Listener, ...]) -> None:
    try:
        run_trial(
            desk, each.folder, stop, watch=None, keeps=lambda value: False, listeners=listeners
        )
    except TunewrightError:  # its folder says why; the mean is over the others
        return


def _failed(folder: Path) -> bool:
    from tunewright.history.state import STATE_FILE, read_state_as_written

    there = (folder / STATE_FILE).is_file()
    return there and read_state_as_written(folder)["state"] == "failed"


def runs_of(row: Row, todo: Sequence[Repeat]) -> Iterator[Path]:
    """Every run of a trial's settings that is over."""
    yield row.folder
    yield from (each.folder for each in todo if each.row == row and is_over(each.folder))


def scores_of(folders: Sequence[Path], metric: str) -> list[float]:
    """What each of them has on validation at its best step."""
    return [float(read_result(each)["validation"][metric]["value"]) for each in folders]


def answers_of_all(folders: Sequence[Path]) -> list[Any] | None:
    """What each of them answered there; None where one did not keep it."""
    found = [answers_of(each) for each in folders]
    return None if any(each is None for each in found) else found
