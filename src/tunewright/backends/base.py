"""What the loop asks of a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, SupportsFloat

import numpy as np

from tunewright.backends.settings import Part
from tunewright.train.phases import PhasePlan


@dataclass(frozen=True)
class PhaseStart:
    """What a backend did when a phase began.

    peak_tokens_per_s: if the machine did nothing but this phase's matrix products, at the rate
    that was measured; None where the blocks are left out altogether; left_mib: frozen weights
    that this phase does not need in memory; on_disk: where what is cached lies.
    """

    trainable_parameters: int
    peak_tokens_per_s: float | None
    cached: bool
    cache_mib: float
    build_s: float
    saves_s: float
    reason: str
    left_mib: float = 0.0
    on_disk: bool = False


class Backend(Protocol):
    """A model being trained. Row numbers index the part that is named."""

    num_blocks: int
    parameters: int  # weights, adapters included
    parts: Mapping[str, Part]
    device_type: str  # such as 'cpu' or 'cuda'
    news: str  # what is new in the model, in one line

    def choose_checkpointing(self, asked: str, rows: int) -> tuple[str, str]:
        """Decide whether activations are kept or computed again; `on` or `off`, and why.

        Args:
            asked: auto, on or off. rows: of a part of a step.
        Raises:
            RecipeError: it is asked for, and cannot be.
        """

    def features(self, part: str, blocks: int) -> np.ndarray | None:
        """float32 (rows, width): what the last layer reads of each row, before anything learns.

        They are kept until the head is solved from them. None where the task has no new head.

        Args:
            blocks: see `solve_head`.
        """

    def take_features(self, known: Mapping[str, np.ndarray]) -> None:
        """Know what `features` would compute, of each part."""

    def solve_head(self, blocks: int) -> float | None:
        """Set the head to the solution of a linear probe; the seconds it took.

        None where the task has no new head. The optimizer's state is forgotten: what it knew was
        of another loss.

        Args:
            blocks: top blocks that the first phase with steps trains; what lies below may be
                computed once, for the probe and for that phase.
        """

    def start_phase(self, phase: PhasePlan, *, keep: bool | None = None) -> PhaseStart:
        """Freeze and thaw layers, make an optimizer, keep what stays the same.

        What learned before goes on with the optimizer's state that it had.

        Args:
            keep: whether frozen layers' answers are kept, as decided before this phase was
                interrupted; None to decide by what it would save.
        """

    def train_step(
        self, parts: Sequence[np.ndarray], *, rate: float, draw: int
    ) -> tuple[SupportsFloat, SupportsFloat]:
        """One optimizer step over rows of the training part, in one or more parts.

        Args:
            parts: row numbers; more than one array means gradient accumulation.
            rate: the phase's learning rates are multiplied by this.
            draw: decides every random draw of this step.
        Returns:
            (mean loss per row, gradient norm), read from the device when converted.
            Where one of them is not finite and the recipe skips such batches, nothing moved.
        """

    def answers(self, part: str) -> np.ndarray:
        """float64 (rows, outputs), in the order of the rows; see `Answers.of`."""

    def keep_best(self) -> None:
        """Remember the weights as they are now."""

    def restore_best(self) -> None:
        """Go back to the remembered weights."""

    def state_bytes(self) -> int:
        """What `save_state` writes at most."""

    def calibrate(self) -> float | None:
        """Fit the temperature of the answers on validation, and give it; None where there is none."""

    def save_state(self, folder: Path) -> None:
        """Write all that resuming needs as safetensors files into an empty folder."""

    def load_weights(self, folder: Path) -> None:
        """Take the weights, and the best ones, out of a checkpoint; before `start_phase`."""

    def load_state(self, folder: Path) -> None:
        """Take the optimizer's state as well, to go on as if nothing had been in between."""

    def save_model(self, folder: Path) -> None:
        """Write a folder that loads without Tunewright."""
