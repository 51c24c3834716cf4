"""AdamW with a learning rate for each depth: one Keras optimizer for each rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.backends.keras.framework import Frameworks
from tunewright.train.phases import PhasePlan

EPSILON, BETA_2 = 1e-8, 0.999
TINY = 1e-6  # PyTorch's, when it clips


@dataclass(frozen=True)
class Weight:
    """A variable that learns.

    Args:
        name: its key in a checkpoint.
        above: blocks above it; −1 in the head.
        decays: whether it is a matrix in Transformers; vectors (biases, norms) do not decay.
    """

    name: str
    variable: Any
    above: int
    decays: bool


class AdamW:
    """Moves the weights of one phase. Loshchilov and Hutter 2019, with bias correction."""

    def __init__(
        self,
        fw: Frameworks,
        weights: Iterable[Weight],
        phase: PhasePlan,
        *,
        weight_decay: float,
        clip: float,
    ) -> None:
        self.fw = fw
        self.clip = clip
        groups: dict[tuple[int, bool], list[Weight]] = {}
        for weight in weights:
            groups.setdefault((weight.above, weight.decays), []).append(weight)
        self.weights = [weight for members in groups.values() for weight in members]
        self.variables = [weight.variable for weight in self.weights]
        self._groups = []
        for (above, decays), members in groups.items():
            optimizer = fw.keras.optimizers.AdamW(
                learning_rate=phase.rate_at(above),
                weight_decay=weight_decay if decays else 0.0,
                beta_2=BETA_2,
            )
            optimizer.build([weight.variable for weight in members])
            self._groups.append((optimizer, phase.rate_at(above), members))

    def apply(self, gradients: list[Any], rate: Any) -> Any:
        """Move every weight, within a compiled function; the gradients' norm.

        Args:
            gradients: as `variables`.
            rate: scalar; the phase's learning rates are multiplied by it.
        """
        tf = self.fw.tf
        norm = tf.linalg.global_norm(gradients)
        if self.clip:
            gradients = [each * tf.minimum(1.0, self.clip / (norm + TINY)) for each in gradients]
        rest = iter(gradients)
        for optimizer, base, members in self._groups:
            optimizer.learning_rate.assign(base * rate)
            step = tf.cast(optimizer.iterations + 1, tf.float32)
            # Keras adds it to the moment that is not yet corrected, PyTorch to the corrected one
            optimizer.epsilon = EPSILON * tf.sqrt(1 - tf.pow(BETA_2, step))
            moved = [weight.variable for weight in members]
            optimizer.apply([next(rest) for _ in members], moved)
        return norm

    def tensors(self) -> dict[str, np.ndarray]:
        """Moments and step counts, keyed by moment and weight name."""
        found = {}
        for optimizer, _, members in self._groups:
            for index, weight in enumerate(members):
                found[f"step/{weight.name}"] = np.asarray(optimizer.iterations)
                found[f"exp_avg/{weight.name}"] = np.asarray(optimizer._momentums[index])
                found[f"exp_avg_sq/{weight.name}"] = np.asarray(optimizer._velocities[index])
        return found

    def put(self, saved: Mapping[str, np.ndarray]) -> None:
        """The inverse of `tensors`, for the weights that are in both."""
        for optimizer, _, members in self._groups:
            for index, weight in enumerate(members):
                if f"step/{weight.name}" in saved:
                    optimizer.iterations.assign(saved[f"step/{weight.name}"])
                    optimizer._momentums[index].assign(saved[f"exp_avg/{weight.name}"])
                    optimizer._velocities[index].assign(saved[f"exp_avg_sq/{weight.name}"])
