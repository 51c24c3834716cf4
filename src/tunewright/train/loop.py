"""The loop: phases, steps, evaluations, stopping. It asks a backend to do each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, SupportsFloat

import numpy as np

from tunewright.backends.base import Backend, PhaseStart
from tunewright.errors import FailedRunError
from tunewright.train.batches import draw_key, epoch_batches, in_parts
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.events import Events
from tunewright.train.interrupt import StopRequest
from tunewright.train.phases import PhasePlan
from tunewright.train.schedule import rate_at_step
from tunewright.train.stopping import Best, noise_of

LOOK_EVERY = 10


@dataclass(frozen=True)
class Plan:
    """Everything that decides the trajectory, as plain values."""

    phases: tuple[PhasePlan, ...]
    batch_size: int
    accumulate: int
    warmup: float
    schedule: str
    evaluations_per_epoch: int
    metric: str
    higher_is_better: bool
    seed: int


@dataclass
class Progress:
    """Where a training stands; with the backend's weights, all that resuming needs."""

    phase: int = 0
    phase_step: int = 0
    phase_s: float = 0.0
    step: int = 0
    kept: bool = False
    best: Best = field(default_factory=Best)
    records: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Progress:
        """The inverse of `as_json`."""
        return cls(**{**saved, "best": Best(**saved["best"])})


Measure = Callable[[np.ndarray], dict[str, float]]


@dataclass(frozen=True)
class Loop:
    """One training. `measure` turns validation probabilities into metrics."""

    backend: Backend
    plan: Plan
    lengths: np.ndarray
    measure: Measure
    name_rows: Callable[[np.ndarray], str]
    events: Events
    checkpoints: Checkpoints
    stop: StopRequest
    _orders: dict[tuple[int, int], list[np.ndarray]] = field(default_factory=dict)

    def run(self, progress: Progress, *, resumed: bool = False) -> Progress:
        """Train through the phases that are left. Raises Interrupted or FailedRunError."""
        if progress.phase == 0 and progress.phase_step == 0:
            first = next((phase.blocks for phase in self.plan.phases if phase.epochs), 0)
            self.events.emit("head_solved", seconds=round(self.backend.solve_head(first), 3))
        for index in range(progress.phase, len(self.plan.phases)):
            mid_phase = resumed and index == progress.phase and progress.phase_step > 0
            if not mid_phase:
                progress.phase, progress.phase_step, progress.phase_s = index, 0, 0.0
                progress.best = replace(progress.best, since=0)
            self._phase(self.plan.phases[index], progress, mid_phase)
        if progress.phase < len(self.plan.phases):
            progress.phase, progress.phase_step = len(self.plan.phases), 0
            self.checkpoints.save(self.backend, progress)
        return progress

    def _phase(self, phase: PhasePlan, progress: Progress, mid_phase: bool) -> None:
        started = time.monotonic() - progress.phase_s
        per_epoch = math.ceil(len(self.lengths) / self.plan.batch_size)
        steps = phase.epochs * per_epoch
        begun = self.backend.start_phase(phase, keep=progress.kept if mid_phase else None)
        progress.kept = begun.cached
        if mid_phase:
            self.backend.load_optimizer(self.checkpoints.resumed_from())
        first_step = progress.step - progress.phase_step
        self.events.emit(
            "phase_started", **asdict(phase), **asdict(begun), steps=steps, step=progress.step
        )
        if progress.best.value is None:
            self._evaluate(progress)
        due = max(1, per_epoch // self.plan.evaluations_per_epoch)
        watch, unread = _Watch(), []
        while progress.phase_step < steps and not progress.best.exhausted(phase.patience):
            rows = self._rows(progress, per_epoch)
            unread.append((progress.step, rows, *self._step(rows, progress, steps)))
            watch.rows += len(rows)
            progress.phase_step += 1
            progress.step += 1
            progress.phase_s = time.monotonic() - started
            last = progress.phase_step == steps
            stopping = self.stop.signal_number is not None
            if len(unread) == LOOK_EVERY or last or stopping or progress.phase_step % due == 0:
                self._look(unread, watch, progress, steps)
                unread.clear()
            if progress.phase_step % due == 0 or last:
                with watch.paused():
                    self._evaluate(progress)
                    self.checkpoints.save_if_due(self.backend, progress)
            self._stop_if_asked(progress)
        self.backend.restore_best()
        record = {
            "name": phase.name,
            "trainable_blocks": phase.blocks,
            "trainable_parameters": begun.trainable_parameters,
            "learning_rate": phase.learning_rate,
            "epochs": round(progress.phase_step / per_epoch, 2),
            "rows_per_s": round(watch.rows / watch.seconds(), 1) if watch.rows else None,
            "product_share": self._product_share(watch, begun),
            "cached": begun.cached,
            "cache_mib": round(begun.cache_mib, 1),
            "left_mib": round(begun.left_mib, 1),
            "cache_build_s": round(begun.build_s, 2),
            "cache_saves_s": round(begun.saves_s, 2),
            "reason": begun.reason,
            "wall_s": round(time.monotonic() - started, 2),
            "first_step": first_step,
            "last_step": progress.step,
            "best_step": progress.best.step,
        }
        progress.records.append(record)
        self.events.emit("phase_ended", **record)

    def _product_share(self, watch: _Watch, begun: PhaseStart) -> float | None:
        """Speed as a share of that of matrix products alone; padding does not count as work."""
        if not watch.rows or begun.peak_tokens_per_s is None:
            return None
        tokens_per_s = watch.rows / watch.seconds() * float(np.mean(self.lengths))
        return round(tokens_per_s / begun.peak_tokens_per_s, 3)

    def _rows(self, progress: Progress, per_epoch: int) -> np.ndarray:
        """This step's rows. The epoch's order is made once, at its first step or on resume."""
        epoch, at = divmod(progress.phase_step, per_epoch)
        key = (progress.phase, epoch)
        if key not in self._orders:
            self._orders.clear()
            self._orders[key] = epoch_batches(
                self.lengths,
                self.plan.batch_size,
                seed=self.plan.seed,
                epoch=draw_key(*key) % 2**32,
            )
        return self._orders[key][at]

    def _step(
        self, rows: np.ndarray, progress: Progress, steps: int
    ) -> tuple[SupportsFloat, SupportsFloat]:
        rate = rate_at_step(
            progress.phase_step, steps, warmup=self.plan.warmup, shape=self.plan.schedule
        )
        return self.backend.train_step(
            in_parts(rows, self.plan.accumulate),
            rate=rate,
            draw=draw_key("step", self.plan.seed, progress.step),
        )

    def _look(
        self,
        unread: Sequence[tuple[int, np.ndarray, SupportsFloat, SupportsFloat]],
        watch: _Watch,
        progress: Progress,
        steps: int,
    ) -> None:
        """Read the losses from the device; stop at the first that is not a number."""
        losses = []
        for step, rows, loss, norm in unread:
            if not (math.isfinite(float(loss)) and math.isfinite(float(norm))):
                self.events.emit("not_finite", step=step, rows=[int(row) for row in rows])
                raise FailedRunError(
                    f"the loss is not a finite number at step {step}, on {self.name_rows(rows)}",
                    fix="use a smaller train.learning_rate, or train.precision fp32",
                )
            losses.append(float(loss))
        speed = watch.rows / watch.seconds()
        phase = self.plan.phases[progress.phase]
        self.events.emit(
            "steps",
            step=progress.step,
            phase=phase.name,
            phase_step=progress.phase_step,
            phase_steps=steps,
            loss=round(float(np.mean(losses)), 5),
            learning_rate=phase.learning_rate
            * rate_at_step(
                progress.phase_step - 1,
                steps,
                warmup=self.plan.warmup,
                shape=self.plan.schedule,
            ),
            rows_per_s=round(speed, 1),
            left_s=round((steps - progress.phase_step) * self.plan.batch_size / speed, 1),
        )

    def _evaluate(self, progress: Progress) -> None:
        probabilities = self.backend.probabilities("validation")
        scores = self.measure(probabilities)
        better = progress.best.after(
            scores[self.plan.metric],
            progress.step,
            higher_is_better=self.plan.higher_is_better,
            noise=noise_of(scores, self.plan.metric, len(probabilities)),
        )
        kept = better.step == progress.step
        if kept:
            self.backend.keep_best()
        progress.best = better
        self.events.emit("evaluated", step=progress.step, best=kept, scores=scores)

    def _stop_if_asked(self, progress: Progress) -> None:
        if self.stop.signal_number is not None:
            self.checkpoints.save(self.backend, progress)
            self.stop.check()


class _Watch:
    """Rows and seconds of training, without the pauses for evaluation and saving."""

    def __init__(self) -> None:
        self.rows = 0
        self._started = time.monotonic()
        self._paused_s = 0.0

    def seconds(self) -> float:
        """Time spent on steps."""
        return max(1e-9, time.monotonic() - self._started - self._paused_s)

    def paused(self) -> _Pause:
        """Within, the watch stands still."""
        return _Pause(self)

    def leave_out(self, seconds: float) -> None:
        """Take a pause off the time."""
        self._paused_s += seconds


class _Pause:
    def __init__(self, watch: _Watch) -> None:
        self.watch = watch

    def __enter__(self) -> None:
        self.since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.watch.leave_out(time.monotonic() - self.since)
