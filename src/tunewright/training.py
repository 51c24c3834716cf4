"""The stage `train`: through the phases, then the model is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.adapting import Adapted
from tunewright.answering import scores_in_training
from tunewright.backends.base import Backend
from tunewright.data.prepare import Prepared
from tunewright.deciding import fit_limits, write_limits
from tunewright.durable import replacing_folder
from tunewright.errors import FailedRunError, MergedOtherwiseError
from tunewright.evaluation.metrics import HIGHER_IS_BETTER, all_metrics
from tunewright.evaluation.thresholds import by_label
from tunewright.evaluation.written import HIGHER_IS_BETTER as OF_ANSWERS
from tunewright.publishing import report_failure
from tunewright.recipe.schema import TASKS
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.events import Events
from tunewright.train.interrupt import StopRequest
from tunewright.train.loop import Loop, Plan, Progress

FP32_BYTES = 4


@dataclass(frozen=True)
class Training:
    """What a training works on, and which `loop` does it."""

    folder: Path
    adapted: Adapted
    prepared: Prepared
    checkpoints: Checkpoints
    events: Events
    stop: StopRequest
    loop: Callable[..., Loop] = Loop
    keeps: Callable[[Progress], bool] = lambda progress: True  # whether the model is written

    def run(self, saved: dict[str, Any] | None) -> Progress:
        """Go on from where a checkpoint stands, if one is `saved`; write the model at the end."""
        recipe, backend = self.adapted.recipe, self.adapted.backend
        if saved is not None:
            backend.load_state(self.checkpoints.resumed_from())
        self.checkpoints.refuse_without_room(backend, FP32_BYTES * backend.parameters)
        loop = self._loop()
        try:
            progress = loop.run(Progress() if saved is None else Progress.from_json(saved))
            if not self.keeps(progress):
                return progress
            validated = loop.plan.validated
            if (
                validated
                and recipe.evaluate.calibrate
                and (temperature := backend.calibrate()) is not None
            ):
                self.events.emit("calibrated", temperature=temperature)
            limits = None
            if validated and recipe.evaluate.thresholds != "half":
                limits = fit_limits(recipe, backend.answers("validation"), self.prepared)
            kept = None if limits is None else by_label(limits, self.prepared.labels)
            if kept is not None:
                self.events.emit("thresholds", thresholds=kept)
            _save_model(self.folder, backend, kept)
        except FailedRunError as error:
            report_failure(self.folder, recipe, error)
            raise
        return progress

    def _loop(self) -> Loop:
        backend, recipe = self.adapted.backend, self.adapted.recipe
        targets = backend.parts["validation"].targets
        part = backend.parts["train"]
        write_and_score = scores_in_training(backend, self.prepared.validation, recipe)
        return self.loop(
            backend=backend,
            plan=_plan(self.adapted),
            lengths=part.inputs.lengths[: part.rows],
            classes=part.targets[: part.rows] if TASKS[recipe.task] == "one" else None,
            measure=lambda answers: all_metrics(answers, targets) | write_and_score(),
            name_rows=self.prepared.train.places,
            events=self.events,
            checkpoints=self.checkpoints,
            stop=self.stop,
        )


def _plan(adapted: Adapted) -> Plan:
    settings: Any = adapted.recipe.train
    metric = adapted.recipe.evaluate.metric
    return Plan(
        phases=adapted.phases,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        warmup=settings.warmup,
        schedule=settings.schedule,
        evaluations_per_epoch=settings.evaluations_per_epoch,
        metric=metric,
        higher_is_better=(HIGHER_IS_BETTER | OF_ANSWERS)[metric],
        seed=adapted.recipe.seed,
        skip_not_finite=settings.not_finite == "skip",
        views=adapted.backend.parts["train"].views,
        balanced=settings.sampling == "balanced",
        validated=not adapted.recipe.data.leaves_out("validation"),
    )


def _save_model(folder: Path, backend: Backend, limits: dict[str, float] | None) -> None:
    """Write the model; where merged it answers otherwise, the adapters alone.

    Args:
        limits: label → threshold, which the folder keeps.
    """
    with replacing_folder(folder / "model") as staged:
        try:
            backend.save_model(staged)
            if limits is not None:
                write_limits(staged, limits)
        except MergedOtherwiseError:
            with replacing_folder(folder / "adapter") as kept:
                shutil.copytree(staged / "adapter", kept, dirs_exist_ok=True)
            raise
