"""The stages of a run, in order, and how each begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tunewright.history.state import write_state
from tunewright.train.events import Events

Stage = Literal["choose", "prepare", "adapt", "train", "evaluate", "test"]
STAGES: tuple[str, ...] = get_args(Stage)


@dataclass(frozen=True)
class Begins:
    """Says that a stage begins, and whether it may.

    Args:
        until: the last stage, None for all.
    """

    until: str | None
    folder: Path
    events: Events

    def __call__(self, stage: Stage) -> bool:
        """Write down that a stage begins; False, and nothing written, after the last one."""
        if not self.reaches(stage):
            return False
        write_state(self.folder, stage=stage)
        self.events.emit("stage", stage=stage)
        return True

    def reaches(self, stage: Stage) -> bool:
        """Whether the run goes as far as that."""
        return self.until is None or STAGES.index(stage) <= STAGES.index(self.until)
