"""Disk: only the best trials keep their weights; the rest keep their curves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from tunewright.durable import disk_errors
from tunewright.errors import RunError, TunewrightError
from tunewright.history.plans import folder_mib
from tunewright.history.result import read_result
from tunewright.train.checkpoint import KEEP

LOCK = ".weights.lock"
MIB = 1 << 20
FP32_BYTES = 4
CURVES_MIB = 8.0  # of a trial: events, answers on validation, recipe


class Weights:
    """The weights of a study's best trials.

    Args:
        study: its folder. keep: trials that keep theirs. metric: the deciding one.
    """

    def __init__(self, study: Path, keep: int, metric: str, *, higher: bool) -> None:
        self.study = study
        self.keep = keep
        self.metric = metric
        self.higher = higher

    def are_worth_it(self, value: float) -> bool:
        """Whether a trial with this score is one of the best so far; room for it is made.

        What it takes the place of is deleted before it is written, so that the bound holds.
        """
        if not self.keep:
            return False
        with filelock.FileLock(self.study / LOCK), disk_errors(self.study):
            kept = sorted(self._kept(), key=lambda each: each[0], reverse=True)
            turned = value if self.higher else -value
            if len(kept) >= self.keep and turned <= kept[self.keep - 1][0]:
                return False
            for _, folder in kept[self.keep - 1 :]:
                _forget(folder)
        return True

    def thin_out(self) -> None:
        """Give up what two workers wrote at the same time."""
        with filelock.FileLock(self.study / LOCK), disk_errors(self.study):
            kept = sorted(self._kept(), key=lambda each: each[0], reverse=True)
            for _, folder in kept[self.keep :]:
                _forget(folder)

    def _kept(self) -> Iterator[tuple[float, Path]]:
        """Score, the higher the better, and folder of each trial that has weights and is over."""
        for folder in sorted((self.study / "trials").glob("*")):
            if not (folder / "model").is_dir():
                continue
            try:
                result: dict[str, Any] = read_result(folder)
            except (RunError, TunewrightError):
                continue  # another worker is at it
            value = float(result["validation"][self.metric]["value"])
            yield (value if self.higher else -value), folder


def _forget(trial: Path) -> None:
    """Delete a trial's weights; a kill meanwhile leaves no half of a model under its name."""
    gone = trial / ".model.gone"
    shutil.rmtree(gone, ignore_errors=True)
    (trial / "model").rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def bound_mib(*, model: float, state: float, trials: int, keep: int, workers: int) -> float:
    """What a study takes at most while it runs, MiB.

    Each worker writes one model beside those that are kept, and has the checkpoints of one trial.

    Args:
        model: MiB of one that is written. state: MiB of a checkpoint. trials: repeats included.
    """
    models = (keep + workers) * model
    return round(models + workers * (KEEP + 1) * state + trials * CURVES_MIB, 1)


def taken_mib(study: Path) -> float:
    """What the folder takes now."""
    return round(folder_mib(study), 1)
