"""The learning-rate finder: a range test for each group of layers, then short runs that verify it.

A raw range test suggests rates for transformers that are far too high: what it sees are single steps.
So its suggestion is only where the search begins: short runs at half and at double the rate move it to
where a whole, short training is best, and it never leaves the band in which such models learn.
Smith 2017, Cyclical learning rates for training neural networks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.durable import write_json
from tunewright.errors import RecipeError
from tunewright.evaluation.metrics import score
from tunewright.recipe.schema import TASKS, Kind
from tunewright.train.batches import draw_key, epoch_batches
from tunewright.train.events import Events
from tunewright.train.interrupt import StopRequest
from tunewright.train.phases import PhasePlan, first_blocks
from tunewright.train.schedule import rate_at_step
from tunewright.tuning.desk import Desk

FILE = "rates.json"
STEPS = 50  # of a range test
LOWEST, HIGHEST = 0.01, 300.0  # times the usual rate of the model, within a range test
BAND = 4.0  # a suggestion is at most so many times more, or less, than the usual rate
SMOOTHING = 0.8
DIVERGED = 3.0  # times the lowest loss so far
MOST_STEPS = 120  # of a run that verifies
MOST_MOVES = 2
SMOOTH: dict[Kind, str] = {
    "one": "log_loss",
    "several": "log_loss",
    "number": "rmse",
    "tokens": "loss",
    "preference": "loss",
}


@dataclass(frozen=True)
class Found:
    """What was found for one group of layers.

    curve: (rate, smoothed loss) of the range test; raw: what it alone would suggest; tried: (rate,
    loss on validation) of the short runs that did not diverge; rate: the suggestion.
    """

    group: str
    curve: list[tuple[float, float]]
    raw: float
    tried: list[tuple[float, float]]
    rate: float


def rates_of(desk: Desk, events: Events, stop: StopRequest) -> list[Found]:
    """The suggestions of a study: found now, or known since another worker found them.

    Raises:
        RecipeError: the backend cannot put weights back, or nothing but a head learns.
    """
    path = desk.folder / FILE
    if not path.is_file():
        write_json(path, {"schema_version": 1, "groups": [asdict(f) for f in _find(desk, stop)]})
    found = [Found(**each) for each in read_rates(desk.folder)]
    for each in found:
        events.emit("rate_found", group=each.group, rate=each.rate, raw=each.raw)
    return found


def as_guess(found: Sequence[Found], strategy: str | None) -> dict[str, Any]:
    """The suggestions as settings, with a strategy in which they are rates of something.

    Args:
        strategy: of the default recipe.
    """
    keys = {"blocks": "train.learning_rate", "head": "train.head_learning_rate"}
    settings: dict[str, Any] = {keys[each.group]: each.rate for each in found}
    return settings | ({"train.strategy": "full"} if strategy == "probe" else {})


def _find(desk: Desk, stop: StopRequest) -> list[Found]:
    adapted = desk.adapt(desk.recipe_with([]))
    phase = replace(adapted.phases[-1], contrastive=False)
    if not hasattr(adapted.backend, "begin_again"):
        raise RecipeError(
            "tune.find_rate is true, which needs backend torch", fix="take tune.find_rate out"
        )
    groups = ("blocks", "head") if _has_head(adapted.backend) else ("blocks",)
    if adapted.recipe.train.strategy == "probe":  # of few rows nothing is learned by steps
        phase = replace(phase, blocks=adapted.backend.num_blocks)
    elif not phase.blocks:
        groups = ("head",)
    tester = Tester(desk, phase, stop)
    found: list[Found] = []
    for group in groups:
        found.append(tester.find(group))
        tester.phase = with_rate(tester.phase, group, found[-1].rate)
    return found


def _has_head(backend: Any) -> bool:
    return bool(getattr(backend, "has_new_head", True))


class Tester:
    """Trains a little from one and the same weights, again and again.

    Args:
        phase: what is trained; its rates are the usual ones.
    """

    def __init__(self, desk: Desk, phase: PhasePlan, stop: StopRequest) -> None:
        self.desk = desk
        self.phase = phase
        self.stop = stop
        self.kind = TASKS[desk.base.recipe.task]
        self.size: Any = desk.base.recipe.train.batch_size

    def find(self, group: str) -> Found:
        """The suggestion for one group of layers, the other at its usual rate."""
        usual = rate_of(self.phase, group)
        curve = self.range_test(group)
        raw = steepest(curve) if curve else usual
        start = min(max(raw, usual / BAND), usual * BAND)
        rate, tried = descend(
            lambda rate: self.short_run(with_rate(self.phase, group, rate)),
            start,
            low=usual / BAND,
            high=usual * BAND,
        )
        ended = [(each, loss) for each, loss in tried if math.isfinite(loss)]
        return Found(group, curve, raw, ended, float(f"{rate:.2g}"))

    def range_test(self, group: str) -> list[tuple[float, float]]:
        """(rate, smoothed training loss) while the group's rate rises; the other stands still."""
        usual = rate_of(self.phase, group)
        alone = with_rate(self.phase, "head" if group == "blocks" else "blocks", 0.0)
        backend = self._fresh(alone)
        rows, found, mean = self._rows(), list[tuple[float, float]](), 0.0
        for step in range(STEPS):
            self.stop.check()
            times = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
            loss, _ = backend.train_step(
                [rows(step)], rate=times, draw=draw_key("range", self.desk.recipe.seed, step)
            )
            mean = SMOOTHING * mean + (1 - SMOOTHING) * float(loss)
            smoothed = mean / (1 - SMOOTHING ** (step + 1))
            if not math.isfinite(smoothed):
                break
            found.append((times * usual, smoothed))
            if smoothed > DIVERGED * min(each for _, each in found):
                break
        return found

    def short_run(self, phase: PhasePlan) -> float:
        """The loss on validation after at most an epoch, with warmup and decay as in a run."""
        train: Any = self.desk.base.recipe.train
        backend, rows = self._fresh(phase), self._rows()
        per_epoch = math.ceil(backend.parts["train"].rows / self.size)
        steps = min(MOST_STEPS, per_epoch)
        for step in range(steps):
            self.stop.check()
            rate = rate_at_step(step, steps, warmup=train.warmup, shape=train.schedule)
            draw = draw_key("short", self.desk.recipe.seed, step)
            backend.train_step([rows(step)], rate=rate, draw=draw)
        answers = backend.answers("validation")
        if not np.isfinite(answers).all():
            return math.inf
        return score(SMOOTH[self.kind], answers, backend.parts["validation"].targets)

    def _fresh(self, phase: PhasePlan) -> Any:
        """The model as it was before anything learned, its head solved, ready for the phase."""
        backend: Any = self.desk.adapt(self.desk.recipe_with([])).backend
        phase = replace(phase, epochs=max(1, phase.epochs))
        backend.solve_head(first_blocks([phase]))
        backend.start_phase(phase)
        return backend

    def _rows(self) -> Callable[[int], np.ndarray]:
        """Rows of each step: one epoch after another."""
        part = self.desk.base.backend.parts["train"]
        lengths, seed = part.inputs.lengths[: part.rows], self.desk.recipe.seed
        batches: list[np.ndarray] = []
        epochs = count()

        def at(step: int) -> np.ndarray:
            while step >= len(batches):
                batches.extend(epoch_batches(lengths, self.size, seed=seed, epoch=next(epochs)))
            return batches[step]

        return at


def steepest(curve: Sequence[tuple[float, float]]) -> float:
    """The rate at which the loss falls fastest, before its lowest point.

    >>> steepest([(1e-5, 1.0), (1e-4, 0.9), (1e-3, 0.2), (1e-2, 0.3)])
    0.001
    """
    losses = [loss for _, loss in curve]
    lowest = int(np.argmin(losses))
    if lowest < 1:
        return curve[0][0]
    falls = np.diff(losses[: lowest + 1])
    return curve[int(np.argmin(falls)) + 1][0]


def descend(
    loss_of: Callable[[float], float], start: float, *, low: float, high: float
) -> tuple[float, list[tuple[float, float]]]:
    """The best rate among the start, half and double of it, and on from there; within the band.

    Returns:
        (rate, all that was tried, in order of the rate).
    """
    known: dict[float, float] = {}

    def tried(rate: float) -> float:
        rate = min(max(rate, low), high)
        if rate not in known:
            known[rate] = loss_of(rate)
        return rate

    at = tried(start)
    for _ in range(1 + MOST_MOVES):
        near = {tried(at / 2), at, tried(2 * at)}
        best = min(near, key=lambda rate: known[rate])
        if best == at:
            break
        at = best
    return at, sorted(known.items())


def rate_of(phase: PhasePlan, group: str) -> float:
    """The rate of the blocks or of the head."""
    return phase.learning_rate if group == "blocks" else phase.head_learning_rate


def with_rate(phase: PhasePlan, group: str, rate: float) -> PhasePlan:
    """The phase with another rate for one group."""
    if group == "blocks":
        return replace(phase, learning_rate=rate)
    return replace(phase, head_learning_rate=rate)


def read_rates(study: Path) -> list[dict[str, Any]]:
    """What the finder of a study found, as result.json has it; empty where none was asked for."""
    path = study / FILE
    return list(json.loads(path.read_text("utf-8"))["groups"]) if path.is_file() else []
