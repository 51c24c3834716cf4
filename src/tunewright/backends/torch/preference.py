"""A causal language model that learns which of two answers is preferred.

R pairs. A reward is what the model gives an answer above what it gave before training. Rafailov et
al. 2023 (DPO); Azar et al. 2024 (IPO); Lambert et al. 2024 (DPO over lengths).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.nn import functional

from tunewright.backends.base import PhaseStart
from tunewright.backends.inputs import sorted_batches
from tunewright.backends.preferences import PairTokens
from tunewright.backends.settings import Part, StepSettings
from tunewright.backends.torch.language import TorchLanguage
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.packed_rows import PackedRows, pack_pairs
from tunewright.train.phases import PhasePlan


class TorchPreference(TorchLanguage):
    """See `TorchTraining`. The loss is the mean over the pairs of a step."""

    def __init__(
        self,
        loaded: Loaded,
        parts: Mapping[str, Part],
        settings: StepSettings,
        device: torch.device,
    ) -> None:
        super().__init__(loaded, parts, settings, device)
        self.reference: dict[str, np.ndarray] = {}

    def start_phase(self, phase: PhasePlan, *, keep: bool | None = None) -> PhaseStart:
        """See `Backend`."""
        self.ask_reference()
        return super().start_phase(phase, keep=keep)

    def load_weights(self, folder: Path) -> None:
        """See `Backend`."""
        self.ask_reference()
        super().load_weights(folder)

    def ask_reference(self) -> None:
        """Ask the model as it is before any weight moves, once, and by its whole depth: so it is
        the same after a checkpoint is read."""
        if not self.reference:
            self.reference = {part: self._shares(part) for part in self.parts}

    def amount(self, rows: np.ndarray) -> int:
        """See `TorchTraining`: pairs."""
        return len(rows)

    def learn(self, rows: np.ndarray, amount: int) -> torch.Tensor:
        """See `TorchTraining`. The output layer is asked twice: what a token's share is worth
        depends on those of both answers."""
        packed = self.pack("train", rows)
        states = self.states("train", rows, packed)
        targets, owners = self.on_device(packed.targets), self.on_device(packed.owners)
        with torch.no_grad(), self.calls.precision():
            nats, _ = self.output.measure(states, targets)
        sums = torch.zeros(2 * len(rows), device=self.device).index_add_(0, owners, nats)
        ours = self._by_length(-sums.view(-1, 2), "train", rows).requires_grad_()
        losses = self._losses(ours - self._reference("train", rows))
        (gradient,) = torch.autograd.grad(losses.sum() / amount, ours)
        per_token = -self._by_length(gradient, "train", rows).reshape(-1)[owners]
        with self.calls.precision():
            self.output.learn(states, targets, per_token)
        return losses.detach().sum()

    def answers(self, part: str) -> np.ndarray:
        """float64 (R, 3): rewards of the preferred and of the other answer, and the loss."""
        self.ask_reference()
        rows = np.arange(len(self.parts[part].inputs))
        gained = torch.from_numpy(self._shares(part) - self.reference[part])
        gained = self._by_length(gained, part, rows)
        losses = self._losses(gained).numpy()
        return np.column_stack([self.settings.beta * gained.numpy(), losses])

    def pack(self, part: str, rows: np.ndarray) -> PackedRows:
        """See `TorchLanguage`."""
        return pack_pairs(self.pairs(part), rows)

    def pairs(self, part: str) -> PairTokens:
        """The rows of a part."""
        return cast("PairTokens", self.parts[part].inputs)

    # ---- how it is done

    def _losses(self, gained: torch.Tensor) -> torch.Tensor:
        """(R): of (R, 2), how much more likely either answer is than before training."""
        ahead = gained[:, 0] - gained[:, 1]
        if self.settings.preference == "ipo":
            return (ahead - 1 / (2 * self.settings.beta)) ** 2
        return -functional.logsigmoid(self.settings.beta * ahead)

    def _by_length(self, values: torch.Tensor, part: str, rows: np.ndarray) -> torch.Tensor:
        """Values (R, 2) over the tokens of each answer, where the loss wants means."""
        if self.settings.preference == "dpo":
            return values
        return values / self.on_device(self.pairs(part).answer_lengths[rows]).to(values)

    def _reference(self, part: str, rows: np.ndarray) -> torch.Tensor:
        shares = self.on_device(self.reference[part][rows]).float()
        return self._by_length(shares, part, rows)

    def _shares(self, part: str) -> np.ndarray:
        """float64 (R, 2): the logarithm of what the model gives each answer."""
        tokens = self.pairs(part)
        found = np.zeros((len(tokens), 2))
        with self.calls.inference():
            for rows in sorted_batches(tokens.lengths, self.eval_tokens):
                packed = self.pack(part, rows)
                nats, _ = self.output.measure(
                    self.states(part, rows, packed), self.on_device(packed.targets)
                )
                sums = np.bincount(packed.owners, nats.cpu().numpy(), minlength=2 * len(rows))
                found[rows] = -sums.reshape(-1, 2)
        return found
