"""Trials are compared at the same cost, whatever their depth, batch size and cache."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.tuning.effort import UNITS, Effort, Look, Pruned


def phase(blocks: int, *, cached: bool = False, step: int = 0) -> dict[str, Any]:
    return {"event": "phase_started", "blocks": blocks, "cached": cached, "step": step}


def measured(step: int, accuracy: float) -> dict[str, Any]:
    return {"event": "evaluated", "step": step, "scores": {"accuracy": accuracy}, "best": True}


@pytest.mark.parametrize("batch_size", [5, 20])
def test_an_epoch_of_all_blocks_is_the_same_with_any_batch_size(batch_size: int) -> None:
    effort = Effort(rows=100, num_blocks=6, batch_size=batch_size)
    effort.on_event(phase(6))
    effort.on_event(measured(100 // batch_size, 0.5))
    assert effort.units == UNITS


def test_a_third_of_the_blocks_from_kept_states_costs_a_third() -> None:
    effort = Effort(rows=90, num_blocks=6, batch_size=10)
    effort.on_event(phase(2, cached=True))
    effort.on_event(measured(27, 0.5))  # three epochs
    assert effort.units == UNITS
    effort.on_event(phase(6, step=27))
    effort.on_event(measured(36, 0.5))
    assert effort.units == 2 * UNITS


class Noted:
    def __init__(self, until: int) -> None:
        self.reported: dict[int, float] = {}
        self.until = until

    def report(self, value: float, step: int) -> None:
        assert step not in self.reported
        self.reported[step] = value

    def should_prune(self) -> bool:
        return max(self.reported) >= self.until


def test_every_unit_is_reported_once_with_the_best_score_till_then() -> None:
    noted = Noted(until=20)
    look = Look(noted, Effort(rows=100, num_blocks=1, batch_size=10), "accuracy", higher=True)
    look.on_event(phase(1))
    for step, score in ((0, 0.1), (3, 0.4), (6, 0.3)):
        look.on_event(measured(step, score))
    assert noted.reported == {1: 0.1, 2: 0.1, 3: 0.4, 4: 0.4, 5: 0.4, 6: 0.4}
    with pytest.raises(Pruned):
        look.on_event(measured(20, 0.9))
    assert look.best == 0.9
    assert look.looks == 4
