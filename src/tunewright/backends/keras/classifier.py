"""A classifier, or a regression, being trained with Keras."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tunewright.backends import probe
from tunewright.backends.answers import Answers, answers_for
from tunewright.backends.inputs import sorted_batches
from tunewright.backends.keras.compiled import Batch, Compiled
from tunewright.backends.keras.model import Classifier
from tunewright.backends.keras.ports import Port
from tunewright.backends.keras.training import EVAL_TOKENS, FIRST_ROWS, KerasTraining
from tunewright.backends.settings import Part, StepSettings, label_weights
from tunewright.train.passes import filled


class KerasClassifier(KerasTraining):
    """See `KerasTraining`.

    Args:
        save: writes a Transformers folder: to it, from these ports, with scores in the units of
            the labels, proved by these rows and scores.
    """

    def __init__(
        self,
        made: Classifier,
        parts: Mapping[str, Part],
        settings: StepSettings,
        *,
        device_type: str,
        save: Callable[[Path, tuple[Port, ...], Answers, Batch, np.ndarray], None],
        news: str,
        parameters: int,
    ) -> None:
        super().__init__(
            made,
            Compiled(made, settings),
            parts,
            settings,
            device_type=device_type,
            news=news,
            parameters=parameters,
        )
        train = parts["train"].targets
        has_bias = made.head.last.bias is not None
        self.answer: Answers = answers_for(train, settings.kind, has_bias=has_bias)
        self.learned = self.answer.learned(train)
        self.label_weights = np.ones(settings.num_labels)
        if settings.balanced:
            self.label_weights = label_weights(train, settings.num_labels)
        self._save = save
        self.untrained: dict[str, np.ndarray] = {}  # features of the parts, until a layer learns

    def features(self, part: str, blocks: int) -> np.ndarray:
        """See `Backend`."""
        if part not in self.untrained:
            if not self.untrained:
                self.frozen.keep(blocks, {"train": 2, "validation": 2}, None)
            lengths = self.parts[part].inputs.lengths
            width = self.made.head.features.shape[-1]
            features = np.zeros((len(lengths), width), dtype=np.float32)
            for rows in sorted_batches(lengths, EVAL_TOKENS):
                features[rows] = self.compiled.features(
                    self._batch(part, rows), self.frozen.kept(part, rows)
                )
            self.untrained[part] = filled(features, self.parts[part].targets)
        return self.untrained[part]

    def take_features(self, known: Mapping[str, np.ndarray]) -> None:
        """See `Backend`."""
        self.untrained = dict(known)

    def solve_head(self, blocks: int) -> float | None:
        """See `Backend`. The features are whatever enters the last layer."""
        started = time.monotonic()
        last = self.made.head.last
        weights, biases = probe.solve(
            self.features("train", blocks),
            self.learned,
            self.settings.num_labels,
            balanced=self.settings.balanced,
            seed=self.settings.seed,
            has_bias=last.bias is not None,
            dropout=probe.DROPOUT,
        )
        last.kernel.assign(weights.T)
        if last.bias is not None:
            last.bias.assign(biases)
        self.untrained = {}
        return time.monotonic() - started

    def amount(self, rows: np.ndarray) -> int:
        """See `KerasTraining`."""
        return len(rows)

    def right(self, rows: np.ndarray) -> Sequence[np.ndarray]:
        """See `KerasTraining`."""
        return self.learned[rows], np.asarray(self.label_weights, np.float32)

    def answers(self, part: str) -> np.ndarray:
        """See `Backend`."""
        inputs = self.parts[part].inputs
        return self.answer.by(
            lambda rows: self.compiled.scores(
                self._batch(part, rows), self.frozen.kept(part, rows)
            ),
            inputs.lengths,
            self.settings.num_labels,
            budget=EVAL_TOKENS,
        )

    def calibrate(self) -> float | None:
        """See `Backend`."""
        if self.settings.kind == "number":
            return None
        shares = self.answers("validation")
        self.answer = self.answer.calibrated(shares, self.parts["validation"].targets)
        return 1 / self.answer.spread

    def save_model(self, folder: Path) -> None:
        """See `Backend`. A Transformers folder."""
        batch, scores = self.first_answers()
        self._save(folder, self.made.ports, self.answer, batch, scores)

    def first_answers(self) -> tuple[Batch, np.ndarray]:
        """The first training rows, and their scores (rows, labels), before softmax."""
        rows = np.arange(min(FIRST_ROWS, len(self.parts["train"].inputs)))
        batch = self._batch("train", rows)
        return batch, self.compiled.scores(batch)
