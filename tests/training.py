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


def as_rows(pairs: Sequence[tuple[str, str]], *, second: bool = False) -> Rows:
    """`second`: each row has the text before it as a second one."""
    texts = [text for text, _ in pairs]
    return Rows(
        texts=texts,
        pairs=[texts[-1], *texts[:-1]] if second else None,
        labels=[label for _, label in pairs],
        ids=[f"{index:032x}" for index in range(len(pairs))],
        source="rows.csv",
        numbers=np.arange(len(pairs)) + 2,
    )


def numbers(rows: Rows) -> np.ndarray:
    return np.array([LABELS.index(label) for label in rows.labels or ()])


def targets_for(rows: Rows, task: str) -> np.ndarray:
    """The row's label; with several labels the first of them too where the text is long; its length."""
    words = np.array([text.count(" ") for text in rows.texts])
    if task == "text-regression":
        return words.astype(np.float64)
    if task == "text-classification":
        return numbers(rows)
    several = np.eye(len(LABELS), dtype=np.float32)[numbers(rows)]
    several[words > np.median(words), 0] = 1
    return several


def open_backend(
    folder: Path,
    count: int = 48,
    *,
    dropout: Any = 0.0,
    rows: Sequence[tuple[str, str]] | None = None,
    adapt: dict[str, Any] | None = None,
    augment: dict[str, Any] | None = None,
    task: str = "text-classification",
    second: bool = False,
    session: Callable[[Path], Any] = TorchSession,
    **train: Any,
) -> Any:
    """A backend over `count` rows to train on and a third of that to validate."""
    rows = text_rows(count + count // 3) if rows is None else rows
    parts = {
        part: as_rows(some, second=second)
        for part, some in (("train", rows[:count]), ("validation", rows[count:]))
    }
    recipe = Recipe.model_validate(
        {
            "task": task,
            "train": SETTINGS | train,
            "adapt": {"dropout": dropout, **(adapt or {})},
            "augment": augment or {},
        }
    )
    labels = ("words",) if task == "text-regression" else LABELS
    with_targets = {part: (some, targets_for(some, task)) for part, some in parts.items()}
    return session(folder).open(recipe, labels, with_targets)


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
    labels = backend.parts["validation"].targets
    values: dict[str, Any] = {
        "measure": lambda answers: all_metrics(answers, labels),
        "name_rows": lambda rows: ", ".join(f"line {row + 2} of rows.csv" for row in rows[:5]),
        "events": Events(folder / "events.jsonl"),
        "checkpoints": Checkpoints(folder / "checkpoints", {"recipe": {"seed": 0}}),
        "stop": StopRequest(),
    }
    if plan.balanced or plan.phases[0].contrastive:
        part = backend.parts["train"]
        values["classes"] = part.targets[: part.rows]
    if "lengths" not in changes:
        part = backend.parts["train"]
        changes["lengths"] = part.inputs.lengths[: part.rows]
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
