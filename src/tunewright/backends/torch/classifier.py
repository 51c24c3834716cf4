"""A classifier, or a regression, being trained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tunewright.backends import probe
from tunewright.backends.answers import Answers, answers_for
from tunewright.backends.base import PhaseStart
from tunewright.backends.inputs import sorted_batches
from tunewright.backends.settings import Part, StepSettings, label_weights
from tunewright.backends.tokens import Tokens
from tunewright.backends.torch import head
from tunewright.backends.torch.calls import Calls
from tunewright.backends.torch.contrastive import contrastive_loss
from tunewright.backends.torch.embedding import UsedRows, take_over_large_tables
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.loss import summed_loss
from tunewright.backends.torch.mix_up import Mixture, mixture
from tunewright.backends.torch.one_token import OneToken, leave_out_other_tokens
from tunewright.backends.torch.training import TorchTraining
from tunewright.errors import ModelError
from tunewright.train.passes import filled
from tunewright.train.phases import PhasePlan


class TorchClassifier(TorchTraining):
    """See `TorchTraining`."""

    def __init__(
        self,
        loaded: Loaded,
        parts: Mapping[str, Part],
        settings: StepSettings,
        device: torch.device,
    ) -> None:
        calls = Calls(loaded, parts, device, bf16=settings.bf16)
        super().__init__(calls, loaded.news, settings)
        last = head.last_linear(self.model, settings.num_labels)
        train = parts["train"].targets
        self.answer: Answers = answers_for(train, settings.kind, has_bias=last.bias is not None)
        self.first_spread = self.answer.spread  # before it is calibrated
        self.learned = self.answer.learned(train)
        self.one_token = self._leave_out_other_tokens()
        if self.one_token is not None:
            self.one_token_modules = self.one_token.modules
        self.tables = self._take_over_large_tables()
        self.label_weights = self._label_weights()
        self.mixes = False  # in the present phase
        self.solution: tuple[np.ndarray, np.ndarray] | None = None  # of the untaught model's head
        self.untrained: dict[str, np.ndarray] = {}  # features of the parts, until a layer learns

    def features(self, part: str, blocks: int) -> np.ndarray:
        """See `Backend`."""
        if part not in self.untrained:
            if not self.untrained:
                self.frozen.keep(blocks, {"train": 2, "validation": 2}, None)
            self.untrained[part] = self._features(part)
        return self.untrained[part]

    def take_features(self, known: Mapping[str, np.ndarray]) -> None:
        """See `Backend`."""
        self.untrained = dict(known)

    def solve_head(self, blocks: int) -> float | None:
        """See `Backend`. The features are whatever enters the last linear layer."""
        started = time.monotonic()
        layer = head.last_linear(self.model, self.settings.num_labels)
        untaught = self.first is not None and self.optimizer is None
        solution = self.solution if untaught else None
        if solution is None:
            features = self.features("train", blocks)
            solution = self._solved(features, self.parts["train"].views, layer)
        if untaught:
            self.solution = solution
        self.remember(name for name, p in self.model.named_parameters() if self._is_of(p, layer))
        head.put(layer, *solution)
        self.untrained = {}
        self.optimizer, self.resumed = None, {}
        return time.monotonic() - started

    @staticmethod
    def _is_of(parameter: nn.Parameter, layer: nn.Linear) -> bool:
        return any(parameter is each for each in layer.parameters())

    def probe_answers(self, views: int) -> np.ndarray:
        """Answers on validation of a linear probe that learned from so many views of the rows."""
        self.frozen.keep(0, {"train": 2, "validation": 2}, None)
        layer = head.last_linear(self.model, self.settings.num_labels)
        rows = views * self.parts["train"].rows
        weights, biases = self._solved(self._features("train")[:rows], views, layer)
        return self.answer.of(self._features("validation") @ weights.T + biases)

    def _features(self, part: str) -> np.ndarray:
        """float32 (rows, width): what enters the last layer, of all rows of a part."""
        layer = head.last_linear(self.model, self.settings.num_labels)
        lengths = self.parts[part].inputs.lengths
        features = np.zeros((len(lengths), layer.in_features), dtype=np.float32)
        with self.calls.inference():
            for rows in sorted_batches(lengths, self.eval_tokens):
                features[rows] = self._entering(layer, part, rows).float().cpu().numpy()
        return filled(features, self.parts[part].targets)

    def _entering(self, layer: nn.Linear, part: str, rows: np.ndarray) -> torch.Tensor:
        """(rows, width): what enters the last layer for some rows of a part."""
        caught: list[torch.Tensor] = []
        hook = layer.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
        try:
            self.frozen.scores(part, rows)
        finally:
            hook.remove()
        return _one_per_row(caught.pop(), self.parts[part].inputs.lengths[rows])

    def _solved(
        self, features: np.ndarray, views: int, layer: nn.Linear
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights and biases for the last layer, from so many views of the training rows."""
        return probe.solve(
            features,
            self.learned[: len(features)],
            self.settings.num_labels,
            balanced=self.settings.balanced,
            seed=self.settings.seed,
            has_bias=layer.bias is not None,
            views=views,
            dropout=probe.DROPOUT,
        )

    def amount(self, rows: np.ndarray) -> int:
        """See `TorchTraining`."""
        return len(rows)

    def learn(self, rows: np.ndarray, amount: int) -> torch.Tensor:
        """See `TorchTraining`."""
        if self.contrastive:
            loss = self._contrast(rows)
        elif (mixed := self._mixture(rows)) is None:
            loss = self._loss(self.frozen.scores("train", rows), rows)
        else:
            scores = self.frozen.mixed_scores("train", rows, mixed)
            loss = mixed.share * self._loss(scores, rows)
            loss = loss + (1 - mixed.share) * self._loss(scores, mixed.rows)
        (loss / amount).backward()
        return loss.detach()

    def start_phase(self, phase: PhasePlan, *, keep: bool | None = None) -> PhaseStart:
        """See `Backend`. Where texts are mixed, the vectors that are mixed have to be kept.

        Raises:
            ModelError: they cannot be.
        """
        self.untrained = {}
        self.mixes = bool(self.settings.mix_up) and (phase.blocks == 0 or not self._of_texts)
        must = self.mixes and self._of_texts and bool(phase.epochs)
        started = super().start_phase(phase, keep=True if must else keep)
        prefix = self.frozen.prefix
        if must and (prefix is None or not prefix.one_vector):
            raise ModelError(
                f"texts are mixed by the one vector that the head reads, and here: {started.reason}",
                fix="take augment.mix_up out, or give train.cache more room",
            )
        return started

    @property
    def _of_texts(self) -> bool:
        return self.parts["train"].inputs.are_ragged

    def _mixture(self, rows: np.ndarray) -> Mixture | None:
        if not self.mixes:
            return None
        num_rows = self.parts["train"].rows
        return mixture(rows, num_rows, parameter=self.settings.mix_up, draw=self.draw)

    def _contrast(self, rows: np.ndarray) -> torch.Tensor:
        layer = head.last_linear(self.model, self.settings.num_labels)
        labels = torch.from_numpy(self.learned[rows]).to(self.device)
        vectors = self._entering(layer, "train", rows).float()
        return len(rows) * contrastive_loss(vectors, labels)

    def _loss(self, scores: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Summed, of scores against what these rows should have."""
        return summed_loss(
            scores.float(),
            torch.from_numpy(self.learned[rows]).to(self.device),
            self.settings.kind,
            weights=self.label_weights,
            smoothing=self.settings.label_smoothing,
        )

    def begin_again(self, settings: StepSettings) -> None:
        """See `TorchTraining`."""
        super().begin_again(settings)
        self.answer = replace(self.answer, spread=self.first_spread)
        self.mixes, self.untrained = False, {}

    def begin_anew(self) -> None:
        """See `TorchTraining`."""
        super().begin_anew()
        self.untrained = {}

    def answers(self, part: str) -> np.ndarray:
        """See `Backend`."""
        inputs = self.parts[part].inputs
        with self.calls.inference():
            return self.answer.by(
                lambda rows: self.frozen.scores(part, rows).float().cpu().numpy(),
                inputs.lengths,
                self.settings.num_labels,
                budget=self.eval_tokens,
            )

    def calibrate(self) -> float | None:
        """See `Backend`."""
        if self.settings.kind == "number":
            return None
        shares = self.answers("validation")
        self.answer = self.answer.calibrated(shares, self.parts["validation"].targets)
        return 1 / self.answer.spread

    def save_model(self, folder: Path) -> None:
        """See `Backend`."""
        last = head.last_linear(self.model, self.settings.num_labels)
        with head.in_units(last, self.answer):
            super().save_model(folder)

    def _leave_out_other_tokens(self) -> OneToken | None:
        """Unless a row ends in padding of its own, after which a head's last token is not ours."""
        for part in self.parts.values():
            tokens = part.inputs
            if not isinstance(tokens, Tokens) or tokens.end_in_padding():
                return None
        lengths = self.parts["train"].inputs.lengths
        batch = self.calls.batch("train", np.array([np.argmin(lengths), np.argmax(lengths)]))
        with self.calls.inference():
            return leave_out_other_tokens(self.model, self.layout, batch, self.calls.bound)

    def _take_over_large_tables(self) -> dict[str, UsedRows]:
        tokens = self.parts["train"].inputs
        if not isinstance(tokens, Tokens):
            return {}
        used = np.union1d(tokens.ids, [tokens.padding])
        return take_over_large_tables(self.model, used)

    def _label_weights(self) -> torch.Tensor | None:
        if not self.settings.balanced:
            return None
        weights = label_weights(self.parts["train"].targets, self.settings.num_labels)
        return torch.tensor(weights, dtype=torch.float32, device=self.device)


def _one_per_row(features: torch.Tensor, lengths: np.ndarray) -> torch.Tensor:
    """(rows, width): decoders score every token, and their last one answers for the row.

    Of a row that is kept as one vector, there is that one alone.
    """
    if features.ndim == 2 or features.shape[1] == 1:
        return features.flatten(1)
    return features[torch.arange(len(lengths)), torch.from_numpy(lengths - 1)]
