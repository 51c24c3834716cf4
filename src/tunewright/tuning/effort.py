"""How far a trial has come, in a unit in which trials of any depth and batch size compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

UNITS = 10  # of an epoch in which all blocks learn
PASSES = 3  # up, down, and the products for each weight


class Effort:
    """Counts what a trial has computed, from its events.

    Args:
        rows: to train on. num_blocks: of the model. batch_size: rows of a step.
    """

    def __init__(self, rows: int, num_blocks: int, batch_size: int) -> None:
        self.whole = max(1, rows) * PASSES * max(1, num_blocks)
        self.num_blocks = num_blocks
        self.batch_size = batch_size
        self._done = 0.0  # by phases that are over
        self._first_step = 0
        self._of_step = 0.0
        self._step = 0

    def on_event(self, event: dict[str, Any]) -> None:
        """See `Listener`."""
        if event["event"] == "phase_started":
            self._done = self._so_far()
            self._first_step = self._step = event["step"]
            above = min(event["blocks"], self.num_blocks)
            below = 0 if event["cached"] else self.num_blocks - above
            self._of_step = self.batch_size * (PASSES * above + below)
        elif event["event"] in ("steps", "evaluated"):
            self._step = event["step"]

    def _so_far(self) -> float:
        return self._done + (self._step - self._first_step) * self._of_step

    @property
    def units(self) -> int:
        """Tenths of an epoch of all blocks, begun ones not counted."""
        return int(UNITS * self._so_far() / self.whole)


class Look:
    """Tells Optuna the best score so far after each evaluation, and asks whether to go on.

    A trial reports at every unit of effort, so that pruners find others at just the same one.
    """

    def __init__(self, trial: Any, effort: Effort, metric: str, *, higher: bool) -> None:
        self.trial = trial
        self.effort = effort
        self.metric = metric
        self.higher = higher
        self.best: float | None = None
        self.looks = 0
        self._reported = 0

    def catch_up(self, events: Iterable[dict[str, Any]]) -> None:
        """Hear what happened before a trial was stopped; nobody is asked whether it should go on."""
        for event in events:
            self._hear(event)

    def on_event(self, event: dict[str, Any]) -> None:
        """See `Listener`. Raises Pruned."""
        units = self._hear(event)
        if units and self.trial.should_prune():
            raise Pruned(units)

    def _hear(self, event: dict[str, Any]) -> int:
        """Report what is new; after an evaluation the units so far, else 0."""
        self.effort.on_event(event)
        if event["event"] != "evaluated":
            return 0
        self.looks += 1
        value, before = float(event["scores"][self.metric]), self.best
        turn = max if self.higher else min
        self.best = value if before is None else turn(before, value)
        units = self.effort.units
        for unit in range(self._reported + 1, units + 1):
            known = self.best if unit == units or before is None else before
            self.trial.report(known, unit)
        self._reported = max(units, self._reported)
        return units


class Pruned(BaseException):
    """The trial is not worth going on with. No error: whoever handles those lets it pass."""

    def __init__(self, units: int) -> None:
        super().__init__(f"pruned after {units / UNITS:g} epochs of all blocks")
        self.units = units
