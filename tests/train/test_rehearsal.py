"""What a phase costs, by what its rehearsal took."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tunewright.backends.base import PhaseStart
from tunewright.errors import FailedRunError
from tunewright.history.plans import seconds_of_steps
from tunewright.train.rehearsal import PhaseCost, Rehearsal, planned_seconds

PHASE = PhaseCost(
    name="all layers",
    blocks=6,
    steps=100,
    least_steps=20,
    step_s=0.5,
    before_s=6.0,
    begin_s=2.0,
    evaluate_every=10,
    evaluate_s=1.0,
    first_evaluation=True,
    save_s=0.3,
    rehearsed_s=5.0,
    cached_on_disk_mib=0.0,
)


def test_seconds_are_of_beginning_steps_evaluations_and_saves() -> None:
    plain = replace(PHASE, save_s=0.0)
    assert plain.seconds(0) == 2.0 + 1.0
    assert plain.seconds(25) == 2.0 + 25 * 0.5 + 4 * 1.0
    assert PHASE.seconds(100) == pytest.approx(2.0 + 61 + (6 + 61) / 60 * 0.3)


def test_a_save_that_takes_long_falls_due_seldom() -> None:
    assert PHASE.saves(594) == 10
    assert replace(PHASE, save_s=12.0).saves(594) == 1


def test_early_stopping_gives_the_range() -> None:
    least, most = planned_seconds([PHASE, replace(PHASE, least_steps=100)])
    assert least == PHASE.seconds(20) + PHASE.seconds(100)
    assert most == 2 * PHASE.seconds(100)


@pytest.mark.parametrize(("steps", "seconds"), [(20, 15.0), (60, 25.0), (100, 35.0)])
def test_a_plan_tells_the_time_of_the_steps_that_were_taken(steps: int, seconds: float) -> None:
    phase = {"steps": 100, "least_steps": 20, "seconds": {"least": 10.0, "most": 30.0}}
    plan = {"seconds": {"outside_phases": 5.0}, "phases": [phase]}
    assert seconds_of_steps(plan, [steps]) == seconds


def rehearsal_on(device: str) -> Rehearsal:
    backend: Any = SimpleNamespace(device_type=device)
    nothing: Any = None
    return Rehearsal(
        backend=backend,
        plan=nothing,
        lengths=np.array([3, 9, 5]),
        measure=nothing,
        name_rows=nothing,
        events=nothing,
        checkpoints=nothing,
        stop=nothing,
    )


def begun(parameters: int) -> PhaseStart:
    return PhaseStart(parameters, None, False, 0.0, 0.0, 0.0, "nothing is frozen")


def test_where_not_even_the_moments_fit_it_is_said_that_no_batch_does() -> None:
    loop = rehearsal_on("cpu")
    loop._refuse_without_memory(begun(1000))
    with pytest.raises(FailedRunError, match="no batch fits in memory") as error:
        loop._refuse_without_memory(begun(10**14))
    assert "lora" in error.value.fix
    rehearsal_on("cuda")._refuse_without_memory(begun(10**14))


def test_the_longest_rows_come_first() -> None:
    assert rehearsal_on("cpu").longest_rows(2).tolist() == [1, 2]
