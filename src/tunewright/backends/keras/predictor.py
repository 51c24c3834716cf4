"""Answers of a trained folder whose weights are Keras's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tunewright.backends.answers import Answers, kind_of
from tunewright.backends.folder import read_config
from tunewright.backends.inputs import Inputs
from tunewright.backends.keras.applications import build
from tunewright.backends.keras.framework import start
from tunewright.backends.keras.model import arguments
from tunewright.backends.pictures import PictureReader
from tunewright.errors import ModelError

BATCH_TOKENS = 4096


class KerasPredictor:
    """The same questions as `TorchPredictor` takes.

    Raises:
        ModelError: the folder cannot be loaded, or is no trained classifier.
    """

    def __init__(self, folder: Path) -> None:
        self.fw = start()
        self.reader = PictureReader(folder)
        config = read_config(folder)
        if not str(config.weights).endswith(".safetensors"):
            raise ModelError(
                f"{folder} is no trained classifier",
                fix="train it first: tunewright run DATA --model FOLDER --backend keras",
            )
        names = config.id2label
        self.labels: tuple[str, ...] = tuple(str(names[index]) for index in sorted(names))
        self.answer = Answers(kind_of(config.problem_type))
        self.made = build(self.fw, folder, len(self.labels), dropout=None, seed=0)
        model = self.made.model
        self._graph = self.fw.tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[[self.fw.tf.TensorSpec(e.shape, e.dtype) for e in model.inputs]],
        )

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """float64 (rows, labels), in the order of the rows; see `Answers.of`.

        Args:
            texts: the paths of pictures.
        """
        inputs = self.inputs(texts, pairs)
        return self.answer.by(
            lambda rows: self.scores(inputs.batch(rows)),
            inputs.lengths,
            len(self.labels),
            budget=BATCH_TOKENS,
        )

    def inputs(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Inputs:
        """The rows as the model was given them in training."""
        return self.reader.read(texts, pairs, None)

    def scores(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """float32 (rows, labels), before softmax; of a batch of `inputs`."""
        return np.asarray(self._graph(arguments(self.made.model, batch)))
