"""A rehearsal: the loop with a few true steps in the place of each phase's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import psutil

from tunewright.backends.base import PhaseStart
from tunewright.errors import FailedRunError
from tunewright.train.checkpoint import CHEAP_S, EVERY_S
from tunewright.train.loop import Loop, Progress
from tunewright.train.passes import seconds_of_all, spread, whole_clock
from tunewright.train.phases import PhasePlan
from tunewright.train.stopwatch import Stopwatch

STEPS = 6  # of each phase that are timed
FP32_BYTES = 4
MOMENTS = 3  # a gradient and two moments of each weight that learns
MIB = 1 << 20


@dataclass(frozen=True)
class PhaseCost:
    """What a phase costs in seconds.

    least_steps: where early stopping ends it as soon as it can; before_s: from when on a checkpoint
    falls due, till the phase begins, if it is the first; begin_s: to start and to end;
    evaluate_every: steps; first_evaluation: whether one comes before the first step;
    rehearsed_s: what the rehearsal of the phase took.
    """

    name: str
    blocks: int
    steps: int
    least_steps: int
    step_s: float
    before_s: float
    begin_s: float
    evaluate_every: int
    evaluate_s: float
    first_evaluation: bool
    save_s: float
    rehearsed_s: float
    cached_on_disk_mib: float

    def seconds(self, steps: int) -> float:
        """Of the whole phase, if it takes so many steps."""
        evaluations = math.ceil(steps / self.evaluate_every) + self.first_evaluation
        trained = steps * self.step_s + evaluations * self.evaluate_s
        return self.begin_s + trained + self.saves(trained) * self.save_s

    def saves(self, seconds: float) -> float:
        """How many checkpoints fall due if the phase takes so many seconds, in the mean."""
        return (self.before_s + seconds) / (EVERY_S * max(1.0, self.save_s / CHEAP_S))


@dataclass(frozen=True)
class Rehearsal(Loop):
    """See `Loop`: every phase begins, takes some steps, evaluates, saves and ends.

    The first step is on the longest rows. The next are true ones, spread over the batches of an
    epoch by how many tokens they have.
    """

    costs: list[PhaseCost] = field(default_factory=list)

    def longest_rows(self, count: int) -> np.ndarray:
        """The longest training rows."""
        return np.argsort(-self.lengths, kind="stable")[:count]

    def _phase(self, phase: PhasePlan, progress: Progress) -> None:
        started = whole_clock()
        begun = self._begin(phase, progress)
        self._refuse_without_memory(begun)
        first_step, steps = progress.step, phase.epochs * self.per_epoch(phase)
        facts = {**asdict(phase), **asdict(begun), "steps": steps, "step": progress.step}
        self.events.emit("phase_started", **facts)
        took_s = whole_clock() - started
        first_evaluation = progress.best.value is None and not phase.contrastive
        # before the steps, as in a run: what it keeps is in memory beside all that they need
        evaluate_s = self._timed_evaluation(progress) if first_evaluation else 0.0
        step_s = self._time_steps(progress) if steps else 0.0
        if steps and not phase.contrastive:
            evaluate_s = self._timed_evaluation(progress)
        saving = whole_clock()
        self._save(progress)
        ending = whole_clock()
        record = self._record(phase, progress, begun, Stopwatch())
        if phase.contrastive:  # as in a run: the head is solved once more
            self._solve_head(self.plan.phases[progress.phase + 1 :])
        else:
            self.backend.restore_best()
        wall_s = round(whole_clock() - started, 2)
        progress.records.append({**record, "wall_s": wall_s, "first_step": first_step})
        every = math.ceil(self.per_epoch(phase) / self.plan.evaluations_per_epoch)
        self.costs.append(
            PhaseCost(
                name=phase.name,
                blocks=phase.blocks,
                steps=steps,
                least_steps=min(steps, phase.patience * every or steps),
                step_s=step_s,
                before_s=0.0 if progress.phase else started - self.checkpoints.since,
                begin_s=took_s + whole_clock() - ending,
                evaluate_every=every,
                evaluate_s=evaluate_s,
                first_evaluation=first_evaluation,
                save_s=ending - saving if progress.step else 0.0,
                rehearsed_s=whole_clock() - started,
                cached_on_disk_mib=begun.cache_mib if begun.on_disk else 0.0,
            )
        )

    def _time_steps(self, progress: Progress) -> float:
        """Mean seconds of a step of an epoch."""
        size = self.plan.phases[progress.phase].rows_of_step(self.plan.batch_size)
        self.timed_step(self.longest_rows(size), progress)
        epoch = self.batches(progress.phase, 0)
        tokens = np.array([len(rows) * int(self.lengths[rows].max()) for rows in epoch])
        by_size = np.argsort(tokens, kind="stable")
        chosen = [int(by_size[at]) for at in spread(len(epoch), STEPS)]
        took = [self.timed_step(epoch[index], progress) for index in chosen]
        return float(seconds_of_all(tokens, chosen, took).mean())

    def timed_step(self, rows: np.ndarray, progress: Progress) -> float:
        """Seconds of one step on these rows."""
        started = whole_clock()
        self._read([(progress.step, rows, *self._step(rows, progress))], progress)
        progress.step += 1
        progress.phase_step += 1
        progress.measured = False
        return whole_clock() - started

    def _timed_evaluation(self, progress: Progress) -> float:
        started = whole_clock()
        self._evaluate(progress)
        return whole_clock() - started

    def _refuse_without_memory(self, begun: PhaseStart) -> None:
        """Raise FailedRunError where not even gradients and moments fit beside the model."""
        if self.backend.device_type != "cpu":
            return
        need = MOMENTS * FP32_BYTES * begun.trainable_parameters
        free = int(psutil.virtual_memory().available)
        if need > free:
            raise FailedRunError(
                f"no batch fits in memory: gradients and moments of {begun.trainable_parameters:,} "
                f"weights take {need / MIB:,.0f} MiB, {free / MIB:,.0f} MiB are free",
                fix="take a smaller model, adapt.method lora, or fewer layers: adapt.layers top-2",
            )


def planned_seconds(costs: Sequence[PhaseCost]) -> tuple[float, float]:
    """Of all phases: if each stops as early as it can, and if none stops early."""
    least = sum(cost.seconds(cost.least_steps) for cost in costs)
    return least, sum(cost.seconds(cost.steps) for cost in costs)
