"""A training without a run folder around it: rows, a backend, a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tiny_models import text_rows
from tunewright.backends.torch.session import TorchSession
from tunewright.data.rows import Rows
from tunewright.evaluation.metrics import all_metrics
from tunewright.recipe.schema import Recipe
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.events import Events
from tunewright.train.interrupt import StopRequest
from tunewright.train.loop import Loop, Plan, Progress
from tunewright.train.phases import PhasePlan

LABELS = tuple(sorted({label for _, label in text_rows(3)}))
SETTINGS: dict[str, Any] = {
    "max_length": 32,
    "batch_size": 8,
    "epochs": 2,
    "learning_rate": 1e-3,
    "head_learning_rate": 1e-2,
    "layer_decay": 0.9,
    "early_stopping": 0,
    "evaluations_per_epoch": 1,
    "precision": "fp32",
    "threads": 1,
    "cache": 1.0,
}


def as_rows(pairs: Sequence[tuple[str, str]]) -> Rows:
    return Rows(
        texts=[text for text, _ in pairs],
        pairs=None,
        labels=[label for _, label in pairs],
        ids=[f"{index:032x}" for index in range(len(pairs))],
        source="rows.csv",
        numbers=np.arange(len(pairs)) + 2,
    )


def numbers(rows: Rows) -> np.ndarray:
    return np.array([LABELS.index(label) for label in rows.labels or ()])


def open_backend(
    folder: Path,
    count: int = 48,
    *,
    dropout: Any = 0.0,
    rows: Sequence[tuple[str, str]] | None = None,
    adapt: dict[str, Any] | None = None,
    session: Callable[[Path], Any] = TorchSession,
    **train: Any,
) -> Any:
    """A backend over `count` rows to train on and a third of that to validate."""
    rows = text_rows(count + count // 3) if rows is None else rows
    parts = {"train": as_rows(rows[:count]), "validation": as_rows(rows[count:])}
    recipe = Recipe.model_validate(
        {"train": SETTINGS | train, "adapt": {"dropout": dropout, **(adapt or {})}}
    )
    with_numbers = {part: (some, numbers(some)) for part, some in parts.items()}
    return session(folder).open(recipe, LABELS, with_numbers)


def phase(blocks: int, **changes: Any) -> PhasePlan:
    values: dict[str, Any] = {
        "name": f"{blocks} blocks",
        "blocks": blocks,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
        "layer_decay": 0.9,
        "epochs": 2,
        "patience": 0,
    }
    return PhasePlan(**values | changes)


def make_plan(*phases: PhasePlan, **changes: Any) -> Plan:
    values: dict[str, Any] = {
        "batch_size": 8,
        "accumulate": 1,
        "warmup": 0.1,
        "schedule": "linear",
        "evaluations_per_epoch": 1,
        "metric": "log_loss",
        "higher_is_better": False,
        "seed": 0,
        "skip_not_finite": False,
    }
    return Plan(phases=phases, **values | changes)


def make_loop(backend: Any, plan: Plan, folder: Path, **changes: Any) -> Loop:
    folder.mkdir(parents=True, exist_ok=True)
    labels = backend.parts["validation"].labels
    values: dict[str, Any] = {
        "measure": lambda probabilities: all_metrics(probabilities, labels),
        "name_rows": lambda rows: ", ".join(f"line {row + 2} of rows.csv" for row in rows[:5]),
        "events": Events(folder / "events.jsonl"),
        "checkpoints": Checkpoints(folder / "checkpoints", {"recipe": {"seed": 0}}),
        "stop": StopRequest(),
    }
    if "lengths" not in changes:
        changes["lengths"] = backend.parts["train"].tokens.lengths
    return Loop(backend=backend, plan=plan, **values | changes)


def train(backend: Any, plan: Plan, folder: Path, **changes: Any) -> Progress:
    loop = make_loop(backend, plan, folder, **changes)
    try:
        return loop.run(Progress())
    finally:
        loop.events.close()


def weights(backend: Any) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy().copy() for name, p in backend.model.named_parameters()}


class StopAt(StopRequest):
    """Asks for a stop once so many steps are done."""

    def __init__(self, backend: Any, steps: int) -> None:
        super().__init__()
        done = backend.train_step

        def counted(*args: object, **kwargs: object) -> object:
            nonlocal steps
            steps -= 1
            if steps == 0:
                self.signal_number = 2
            return done(*args, **kwargs)

        backend.train_step = counted
