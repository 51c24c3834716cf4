"""What every backend is given: the rows as inputs, and the recipe as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.inputs import Inputs
from tunewright.recipe.adapt import Adapt
from tunewright.recipe.schema import TASKS, Kind, Recipe
from tunewright.train.batches import in_parts


@dataclass(frozen=True)
class Part:
    """The rows of training or validation, and their `labels.targets`.

    views: how often each row is there: all of them as they are, then all of them changed, and so
    on; changed: rows that differ in one of their views.
    """

    inputs: Inputs
    targets: np.ndarray
    views: int = 1
    changed: int = 0

    @property
    def rows(self) -> int:
        """Rows, whatever their views."""
        return len(self.inputs) // self.views


@dataclass(frozen=True)
class Room:
    """Bytes that kept activations may take. `folder` is where a file would lie."""

    memory: int
    disk: int
    folder: Path


@dataclass(frozen=True)
class AdapterSettings:
    """What adapters need from the recipe, as plain values; `seed` decides their first weights."""

    method: str
    rank: int
    alpha: int
    dropout: float
    seed: int


@dataclass(frozen=True)
class StepSettings:
    """What a step needs from the recipe, as plain values.

    dropout: of hidden layers, None for the model's own; room: for kept activations, None for
    none; peak: GFLOP/s of this machine's matrix products.
    """

    kind: Kind
    num_labels: int
    weight_decay: float
    clip: float
    label_smoothing: float
    balanced: bool
    bf16: bool
    dropout: float | None
    seed: int
    room: Room | None
    peak: float
    width: int
    layers: str | None
    adapters: AdapterSettings | None
    skip_not_finite: bool
    preference: str = "dpo"
    beta: float = 0.1
    mix_up: float = 0.0


def step_settings(
    recipe: Recipe, *, num_labels: int, room: Room | None, peak: float, width: int
) -> StepSettings:
    """From a resolved recipe."""
    train: Any = recipe.train
    dropout = recipe.adapt.dropout
    return StepSettings(
        kind=TASKS[recipe.task],
        num_labels=num_labels,
        weight_decay=train.weight_decay,
        clip=train.clip,
        label_smoothing=train.label_smoothing,
        balanced=train.class_weights == "balanced",
        bf16=train.precision == "bf16",
        dropout=dropout if isinstance(dropout, float) else None,
        seed=recipe.seed,
        room=room,
        peak=peak,
        width=width,
        layers=recipe.adapt.layers,
        adapters=_adapter_settings(recipe.adapt, recipe.seed),
        skip_not_finite=train.not_finite == "skip",
        preference=train.preference,
        beta=train.beta,
        mix_up=recipe.augment.mix_up,
    )


def step_settings_again(known: StepSettings, recipe: Recipe) -> StepSettings:
    """Those of another recipe for a model that is open; what was measured when it was, stays."""
    return step_settings(
        recipe,
        num_labels=known.num_labels,
        room=known.room,
        peak=known.peak,
        width=known.width,
    )


def _adapter_settings(adapt: Adapt, seed: int) -> AdapterSettings | None:
    if not adapt.has_adapters:
        return None
    chosen: Any = adapt
    return AdapterSettings(
        method=chosen.method,
        rank=chosen.rank,
        alpha=chosen.alpha,
        dropout=chosen.adapter_dropout,
        seed=seed,
    )


def label_weights(targets: np.ndarray, num_labels: int) -> np.ndarray:
    """(labels): rows / (labels × rows of the label), so that their mean over rows is 1.

    Where rows have several labels: rows without a label by rows with it, for those with it.
    """
    if targets.ndim == 2:
        there = targets.sum(axis=0)
        return np.asarray((len(targets) - there) / np.maximum(there, 1))
    counts = np.bincount(targets, minlength=num_labels)
    weights: np.ndarray = len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return weights


def pieces(parts: Sequence[np.ndarray], lengths: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """The parts of a step, those of more than `most` tokens cut once more; gradients add up."""
    for rows in parts:
        tokens = len(rows) * int(lengths[rows].max())
        yield from in_parts(rows, -(-tokens // most))
