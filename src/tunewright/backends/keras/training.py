"""A model being trained: what the Keras backend does for every task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.base import PhaseStart
from tunewright.backends.keras.compiled import Batch, Compiled
from tunewright.backends.keras.frozen import Frozen
from tunewright.backends.keras.model import Classifier
from tunewright.backends.keras.optimizer import AdamW
from tunewright.backends.keras.state import read_arrays, write_arrays
from tunewright.backends.keras.work import gflop_per_token
from tunewright.backends.settings import Part, StepSettings, pieces
from tunewright.errors import ModelError
from tunewright.train.phases import PhasePlan, deepest

TOKENS_AT_ONCE = 1024
EVAL_TOKENS = 4096
FIRST_ROWS = 16  # on which answers are compared


class KerasTraining(ABC):
    """Implements `backends.base.Backend`, but for what a task learns and answers.

    Args:
        made: the model. compiled: its graphs.
        device_type: 'cpu' or 'cuda'.
        news, parameters: see `Backend`.
    """

    def __init__(
        self,
        made: Classifier,
        compiled: Compiled,
        parts: Mapping[str, Part],
        settings: StepSettings,
        *,
        device_type: str,
        news: str,
        parameters: int,
    ) -> None:
        self.made = made
        self.compiled = compiled
        self.parts = parts
        self.settings = settings
        self.device_type = device_type
        self.news = news
        self.num_blocks = made.num_blocks
        self.parameters = parameters
        most = deepest(settings.layers, self.num_blocks)
        self.may_learn = {weight.name: weight.variable for weight in made.trainable(most)}
        self.frozen = Frozen(self.compiled, parts, settings, self._batch)
        self.optimizer: AdamW | None = None
        self.resumed: dict[str, np.ndarray] = {}  # an optimizer's state, until there is one
        self.best: dict[str, np.ndarray] = {}

    # ---- what a task does in its own way

    def features(self, part: str, blocks: int) -> np.ndarray | None:
        """See `Backend`: none, where the model has no new head."""
        return None

    @abstractmethod
    def solve_head(self, blocks: int) -> float | None:
        """See `Backend`."""

    @abstractmethod
    def amount(self, rows: np.ndarray) -> int:
        """What the loss of these rows is a sum over."""

    @abstractmethod
    def right(self, rows: np.ndarray) -> Sequence[np.ndarray]:
        """What the loss of these rows takes beside the model's answer."""

    @abstractmethod
    def answers(self, part: str) -> np.ndarray:
        """See `Backend`."""

    @abstractmethod
    def save_model(self, folder: Path) -> None:
        """See `Backend`."""

    # ---- what the loop asks for

    def choose_checkpointing(self, asked: str, rows: int) -> tuple[str, str]:
        """See `Backend`."""
        return "off", "asked for" if asked == "off" else "backend keras keeps them"

    def start_phase(self, phase: PhasePlan, *, keep: bool | None = None) -> PhaseStart:
        """See `Backend`."""
        moments = self._moments()
        learn = self.made.trainable(phase.blocks)
        self.optimizer = AdamW(
            self.made.fw,
            learn,
            phase,
            weight_decay=self.settings.weight_decay,
            clip=self.settings.clip,
        )
        self.optimizer.put(moments)
        self.resumed = {}
        if phase.epochs:
            uses = {"train": phase.epochs, "validation": phase.epochs + 1}
            self.frozen.keep(phase.blocks, uses, keep)
            self.compiled.learn(self.optimizer)
        prefix = self.frozen.prefix
        gflop = gflop_per_token(self.made, phase.blocks, kept=prefix is not None, learn=learn)
        return PhaseStart(
            trainable_parameters=sum(int(np.prod(each.variable.shape)) for each in learn),
            peak_tokens_per_s=self.settings.peak / gflop if gflop else None,
            cached=prefix is not None,
            cache_mib=prefix.mib if prefix is not None else 0.0,
            build_s=prefix.build_s if prefix is not None else 0.0,
            saves_s=prefix.saves_s if prefix is not None else 0.0,
            reason=self.frozen.reason,
            on_disk=self.frozen.prefix is not None and self.frozen.prefix.on_disk,
        )

    def train_step(self, parts: Sequence[np.ndarray], *, rate: float, draw: int) -> tuple[Any, Any]:
        """See `Backend`."""
        if self.optimizer is None:
            raise RuntimeError("train_step before start_phase")
        self.compiled.seed(draw)
        amount = sum(self.amount(rows) for rows in parts)
        train = self.parts["train"]
        total, gradients = 0.0, None
        for rows in pieces(parts, train.inputs.lengths, TOKENS_AT_ONCE):
            loss, found = self.compiled.gradients(
                self._batch("train", rows),
                self.right(rows),
                amount,
                self.frozen.kept("train", rows),
            )
            total = total + loss
            gradients = (
                found
                if gradients is None
                else [one + two for one, two in zip(gradients, found, strict=True)]
            )
        if self.settings.skip_not_finite and not self._finite(total, gradients):
            return total / amount, float("nan")
        norm = self.compiled.apply(gradients, np.float32(rate))
        return total / amount, norm

    def keep_best(self) -> None:
        """See `Backend`."""
        self.best = self._weights()

    def restore_best(self) -> None:
        """See `Backend`."""
        self._put(self.best)

    def calibrate(self) -> float | None:
        """See `Backend`."""
        return None

    def state_bytes(self) -> int:
        """See `Backend`. Weights, best weights and two moments."""
        return 16 * sum(int(np.prod(each.shape)) for each in self.may_learn.values())

    def save_state(self, folder: Path) -> None:
        """See `Backend`."""
        write_arrays(folder / "weights.safetensors", self._weights())
        write_arrays(folder / "best.safetensors", self.best)
        write_arrays(folder / "optimizer.safetensors", self._moments())

    def load_weights(self, folder: Path) -> None:
        """See `Backend`."""
        self._put(read_arrays(folder / "weights.safetensors"))
        self.best = read_arrays(folder / "best.safetensors")

    def load_state(self, folder: Path) -> None:
        """See `Backend`."""
        self.load_weights(folder)
        self.resumed = read_arrays(folder / "optimizer.safetensors")

    # ---- how it is done

    def _batch(self, part: str, rows: np.ndarray) -> Batch:
        return self.parts[part].inputs.batch(rows)

    def _moments(self) -> dict[str, np.ndarray]:
        return self.resumed if self.optimizer is None else self.optimizer.tensors()

    def _weights(self) -> dict[str, np.ndarray]:
        return {name: np.array(variable.numpy()) for name, variable in self.may_learn.items()}

    def _put(self, saved: Mapping[str, np.ndarray]) -> None:
        for name, array in saved.items():
            if name not in self.may_learn or tuple(self.may_learn[name].shape) != array.shape:
                raise ModelError(
                    f"the saved weight {name} of shape {array.shape} has no place in the model",
                    fix="use the model and the recipe that it was saved with",
                )
            self.may_learn[name].assign(array)

    def _finite(self, total: Any, gradients: Any) -> bool:
        norm = self.made.fw.tf.linalg.global_norm(gradients)
        return bool(np.isfinite(float(total) + float(norm)))
