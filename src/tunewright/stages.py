"""The stages of a run, in order, and how each begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from tunewright.history.state import write_state
from tunewright.train.events import Events

Stage = Literal["choose", "prepare", "adapt", "train", "evaluate", "test"]
STAGES: tuple[str, ...] = get_args(Stage)
Begins = Callable[[Stage], bool]


def begins_until(until: str | None, folder: Path, events: Events) -> Begins:
    """What says that a stage begins, and whether it may.

    Args:
        until: the last stage, None for all.
    """
    last = STAGES.index(until) if until else len(STAGES) - 1

    def begins(stage: Stage) -> bool:
        if STAGES.index(stage) > last:
            return False
        write_state(folder, stage=stage)
        events.emit("stage", stage=stage)
        return True

    return begins
