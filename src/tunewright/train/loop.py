"""The loop: phases, steps, evaluations, stopping. It asks a backend to do each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, SupportsFloat

import numpy as np

from tunewright.backends.base import Backend, PhaseStart
from tunewright.errors import FailedRunError
from tunewright.train.balanced import balanced_rows, contrastive_batches, contrastive_steps
from tunewright.train.batches import draw_key, epoch_batches, in_parts
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.events import Events
from tunewright.train.interrupt import Interrupted, StopRequest
from tunewright.train.phases import PhasePlan, first_blocks
from tunewright.train.schedule import rate_at_step
from tunewright.train.stopping import Best, noise_of
from tunewright.train.stopwatch import Stopwatch
from tunewright.train.unread import Unread, read_losses

LOOK_EVERY = 10
SLOW_S = 5.0  # of training without a word; reading a loss waits for the device


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
    skip_not_finite: bool
    views: int = 1
    balanced: bool = False
    validated: bool = True  # else there are no rows to look at, and the last weights are kept


@dataclass
class Progress:
    """Where a training stands; with the backend's weights, all that resuming needs.

    begun: how this phase began, None if it did not yet; measured: on validation, at this step;
    losses: since the last `steps` event, which was at the step told; history: every evaluation.
    """

    phase: int = 0
    phase_step: int = 0
    phase_s: float = 0.0
    step: int = 0
    begun: PhaseStart | None = None
    measured: bool = False
    best: Best = field(default_factory=Best)
    losses: list[float] = field(default_factory=list)
    told: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Progress:
        """The inverse of `as_json`."""
        begun = PhaseStart(**saved["begun"]) if saved["begun"] else None
        return cls(**{**saved, "best": Best(**saved["best"]), "begun": begun})

    def end_phase(self) -> None:
        """Stand at the beginning of the next phase."""
        self.phase += 1
        self.phase_step, self.phase_s, self.begun = 0, 0.0, None
        self.best = replace(self.best, since=0)


Measure = Callable[[np.ndarray], dict[str, float]]
Snapshot = Callable[[Backend, Progress], None]


@dataclass(frozen=True)
class Loop:
    """One training. `measure` turns answers on validation into metrics.

    lengths, classes: int (rows), whatever their views; None for classes where rows have none.
    snapshot: called when an epoch is over, and when a signal has stopped the training; after a
    resume perhaps again.
    """

    backend: Backend
    plan: Plan
    lengths: np.ndarray
    measure: Measure
    name_rows: Callable[[np.ndarray], str]
    events: Events
    checkpoints: Checkpoints
    stop: StopRequest
    classes: np.ndarray | None = None
    snapshot: Snapshot | None = None
    _orders: dict[tuple[int, int], list[np.ndarray]] = field(default_factory=dict)

    def per_epoch(self, phase: PhasePlan) -> int:
        """Steps of an epoch."""
        if phase.contrastive:
            return contrastive_steps(len(self.lengths), phase.rows_of_step(self.plan.batch_size))
        return math.ceil(len(self.lengths) / self.plan.batch_size)

    def run(self, progress: Progress) -> Progress:
        """Train through the phases that are left. Raises Interrupted or FailedRunError."""
        with self.stop.held():
            if progress.step == 0 and not self.plan.phases[0].contrastive:
                self._solve_head(self.plan.phases)
            left = self.plan.phases[progress.phase :]
            for phase in left:
                self._phase(phase, progress)
                progress.end_phase()
            if left and self.checkpoints.at_end:
                self._save(progress)
        self.stop.check()  # from here on a signal does not wait
        return progress

    def _solve_head(self, phases: Sequence[PhasePlan]) -> None:
        """Before these phases."""
        with self.stop.at_once():
            seconds = self.backend.solve_head(first_blocks(phases))
        if seconds is not None:
            self.events.emit("head_solved", seconds=round(seconds, 3))

    def _phase(self, phase: PhasePlan, progress: Progress) -> None:
        watch, unread = Stopwatch(), Unread()
        if progress.begun is None:
            self._stop_if_asked(progress, unread, watch)
        started = time.monotonic() - progress.phase_s
        steps = phase.epochs * self.per_epoch(phase)
        with watch.paused():
            begun = self._begin(phase, progress)
        first_step = progress.step - progress.phase_step
        self.events.emit(
            "phase_started", **asdict(phase), **asdict(begun), steps=steps, step=progress.step
        )
        while True:
            self._stop_if_asked(progress, unread, watch)
            if not progress.measured and self._is_due(progress):
                with watch.paused():
                    self._evaluate(progress)
                continue
            ended = progress.phase_step > 0 and progress.phase_step % self.per_epoch(phase) == 0
            if self.snapshot is not None and ended and not phase.contrastive:
                self._read(unread, progress)
                self._tell("steps_so_far", progress, watch)
                with watch.paused():
                    self.snapshot(self.backend, progress)
            if self.checkpoints.are_due():
                with watch.paused():
                    self._read(unread, progress)
                    self._save(progress)
            if progress.phase_step == steps or progress.best.exhausted(phase.patience):
                break
            rows = self._rows(progress)
            unread.append((progress.step, rows, *self._step(rows, progress)))
            watch.rows += len(rows)
            progress.phase_step += 1
            progress.step += 1
            progress.measured = False
            progress.phase_s = time.monotonic() - started
            full = progress.step - progress.told >= LOOK_EVERY
            whole = full or progress.phase_step == steps or self._is_due(progress)
            if whole or watch.seconds() - watch.told_s >= SLOW_S:
                self._read(unread, progress)
                self._tell("steps" if whole else "steps_so_far", progress, watch)
        told = self._record(phase, progress, begun, watch)
        if phase.contrastive:  # until now the head knew nothing, and nothing was measured
            with self._changing_nothing(progress):
                self._solve_head(self.plan.phases[progress.phase + 1 :])
        else:
            self.backend.restore_best()
        wall_s = round(time.monotonic() - started, 2)
        record = {**told, "wall_s": wall_s, "first_step": first_step}
        progress.records.append(record)
        self.events.emit("phase_ended", **record)

    def _record(
        self, phase: PhasePlan, progress: Progress, begun: PhaseStart, watch: Stopwatch
    ) -> dict[str, Any]:
        """What the report tells of a phase that is over."""
        return {
            "name": phase.name,
            "trainable_blocks": phase.blocks,
            "trainable_parameters": begun.trainable_parameters,
            "learning_rate": phase.learning_rate,
            "epochs": round(progress.phase_step / self.per_epoch(phase), 2),
            "rows_per_s": watch.rows_per_s() if watch.rows else None,
            "product_share": self._product_share(watch, begun),
            "cached": begun.cached,
            "cache_mib": round(begun.cache_mib, 1),
            "left_mib": round(begun.left_mib, 1),
            "cache_build_s": round(begun.build_s, 2),
            "cache_saves_s": round(begun.saves_s, 2),
            "reason": begun.reason,
            "last_step": progress.step,
            "best_step": progress.best.step,
        }

    def _begin(self, phase: PhasePlan, progress: Progress) -> PhaseStart:
        """Start a phase, or stand again where it was left, with what it kept."""
        if progress.begun is None:
            keep = self._keeps_on(progress)
            with self._changing_nothing(progress):
                progress.begun = self.backend.start_phase(phase, keep=keep)
            return progress.begun
        with self.stop.at_once():  # the checkpoint that this comes from still stands
            again = self.backend.start_phase(phase, keep=progress.begun.cached)
        if again.cached != progress.begun.cached:
            raise FailedRunError(
                "what the frozen layers answer was kept before the run stopped, and cannot be kept "
                f"now: {again.reason}; the weights would differ in their last digits",
                fix="free memory or disk space (TUNEWRIGHT_CACHE moves the cache); then resume",
            )
        return progress.begun

    def _keeps_on(self, progress: Progress) -> bool | None:
        """True where the phase before froze and kept the same: that holds after a resume too."""
        if not progress.records:
            return None
        before, blocks = progress.records[-1], self.plan.phases[progress.phase].blocks
        return (before["cached"] and before["trainable_blocks"] == blocks) or None

    def _is_due(self, progress: Progress) -> bool:
        """Whether validation is looked at at this step; once in a run before the head learns."""
        phase = self.plan.phases[progress.phase]
        if phase.contrastive or not self.plan.validated:
            return False
        if progress.phase_step == 0:
            return progress.best.value is None
        per_epoch = self.per_epoch(phase)
        due = math.ceil(per_epoch / self.plan.evaluations_per_epoch)
        return progress.phase_step % due == 0 or progress.phase_step == phase.epochs * per_epoch

    def _product_share(self, watch: Stopwatch, begun: PhaseStart) -> float | None:
        """Speed as a share of that of matrix products alone; padding does not count as work."""
        if not watch.rows or begun.peak_tokens_per_s is None:
            return None
        tokens_per_s = watch.rows / watch.seconds() * float(np.mean(self.lengths))
        return round(tokens_per_s / begun.peak_tokens_per_s, 3)

    def _rows(self, progress: Progress) -> np.ndarray:
        """This step's rows. The epoch's order is made once, at its first step or on resume."""
        phase = self.plan.phases[progress.phase]
        epoch, at = divmod(progress.phase_step, self.per_epoch(phase))
        return self.batches(progress.phase, epoch)[at]

    def batches(self, number: int, epoch: int) -> list[np.ndarray]:
        """Row numbers of each step of an epoch of a phase, by its number."""
        key = (number, epoch)
        if key not in self._orders:
            self._orders.clear()
            self._orders[key] = self._order(self.plan.phases[number], draw_key(*key) % 2**32)
        return self._orders[key]

    def _order(self, phase: PhasePlan, epoch: int) -> list[np.ndarray]:
        size, seed = phase.rows_of_step(self.plan.batch_size), self.plan.seed
        if self.classes is None or not (phase.contrastive or self.plan.balanced):
            return epoch_batches(self.lengths, size, seed=seed, epoch=epoch)
        if phase.contrastive:
            return contrastive_batches(self.classes, size, seed=seed, epoch=epoch)
        drawn = balanced_rows(self.classes, seed=seed, epoch=epoch)
        batches = epoch_batches(self.lengths[drawn], size, seed=seed, epoch=epoch)
        return [drawn[rows] for rows in batches]

    def _step(self, rows: np.ndarray, progress: Progress) -> tuple[SupportsFloat, SupportsFloat]:
        return self.backend.train_step(
            in_parts(rows + len(self.lengths) * self._view(progress), self.plan.accumulate),
            rate=self._rate(progress.phase, progress.phase_step),
            draw=draw_key("step", self.plan.seed, progress.step),
        )

    def _view(self, progress: Progress) -> int:
        """Which view of the rows this epoch shows. Epochs count on through all phases."""
        before = sum(each.epochs for each in self.plan.phases[: progress.phase])
        per_epoch = self.per_epoch(self.plan.phases[progress.phase])
        return (before + progress.phase_step // per_epoch) % self.plan.views

    def _rate(self, phase: int, phase_step: int) -> float:
        """The share of the full learning rate. A phase that ended early leaves its steps out.

        It rises and falls once for the contrastive loss, and once for the task's.
        """
        asked = self.plan.phases[phase].contrastive
        steps = [
            each.epochs * self.per_epoch(each) * (each.contrastive == asked)
            for each in self.plan.phases
        ]
        return rate_at_step(
            sum(steps[:phase]) + phase_step,
            sum(steps),
            warmup=self.plan.warmup,
            shape=self.plan.schedule,
        )

    def _read(self, unread: Unread, progress: Progress) -> None:
        skip = self.plan.skip_not_finite
        progress.losses += read_losses(
            unread, name_rows=self.name_rows, events=self.events, skip=skip
        )
        unread.clear()

    def _tell(self, kind: str, progress: Progress, watch: Stopwatch) -> None:
        """Emit the losses since the last `steps`, and their mean.

        Args:
            kind: steps, which come at the same steps however often a run was stopped; or
                steps_so_far, by the clock and before a model is handed out: it changes no `steps`.
        """
        if not progress.losses or not watch.rows:
            return
        phase, at = self.plan.phases[progress.phase], progress.phase_step
        size = phase.rows_of_step(self.plan.batch_size)
        steps = phase.epochs * self.per_epoch(phase)
        self.events.emit(
            kind,
            step=progress.step,
            phase=phase.name,
            phase_step=at,
            phase_steps=steps,
            loss=round(float(np.mean(progress.losses)), 5),
            losses=[round(loss, 5) for loss in progress.losses],
            learning_rate=phase.learning_rate * self._rate(progress.phase, at - 1),
            rows_per_s=watch.rows_per_s(),
            left_s=round((steps - at) * size * watch.seconds() / watch.rows, 1),
            evaluation_follows=self._is_due(progress),
        )
        watch.told_s = watch.seconds()
        if kind == "steps":
            progress.losses, progress.told = [], progress.step

    def _evaluate(self, progress: Progress) -> None:
        with self._changing_nothing(progress):
            probabilities = self.backend.answers("validation")
        if not np.isfinite(probabilities).all():
            raise FailedRunError(
                f"the answers on validation are not finite numbers at step {progress.step}",
                fix="use a smaller train.learning_rate, or train.precision fp32",
            )
        with self._changing_nothing(progress):  # it may write answers, which takes time
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
        progress.best, progress.measured = better, True
        progress.history.append({"step": progress.step, **scores})
        self.events.emit("evaluated", step=progress.step, best=kept, scores=scores)

    @contextmanager
    def _changing_nothing(self, progress: Progress) -> Iterator[None]:
        """Within, no weight moves: a signal need not wait for the end."""
        try:
            with self.stop.at_once():
                yield
        except Interrupted:
            self._save_stopped(progress)
            raise

    def _stop_if_asked(self, progress: Progress, unread: Unread, watch: Stopwatch) -> None:
        if self.stop.signal_number is not None:
            self._read(unread, progress)
            self._tell("steps_so_far", progress, watch)
            self._save_stopped(progress)
            self.stop.check()

    def _save_stopped(self, progress: Progress) -> None:
        self._save(progress)
        if progress.step and self.snapshot is not None:
            self.snapshot(self.backend, progress)

    def _save(self, progress: Progress) -> None:
        """A checkpoint, and before it every event that led to it.

        Before the first step there is nothing to save: what the head's solution was computed
        from is kept for the first phase, and would have to be computed again anyway.
        """
        if progress.step:
            self.events.sync()
            self.checkpoints.save(self.backend, progress)
