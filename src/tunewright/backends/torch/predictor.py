"""Answers of a trained model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from tunewright.backends.answers import Answers, kind_of
from tunewright.backends.folder import quiet, read_config, reads_pictures, trained_length
from tunewright.backends.inputs import Inputs
from tunewright.backends.session import reader_for
from tunewright.backends.tokens import Tokens, refuse_unknown_tokens
from tunewright.backends.torch.automatic import classifiers
from tunewright.backends.torch.device import keep_freed_memory, pick_device, set_threads
from tunewright.cores import usable_cores
from tunewright.errors import ModelError

BATCH_TOKENS = 4096


class TorchPredictor:
    """A folder that Transformers loads as a classifier, asked many rows at once.

    Raises:
        ModelError: the folder cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        keep_freed_memory()
        set_threads(usable_cores())
        self.device = pick_device()
        pictures = reads_pictures(folder)
        self.reader = reader_for(folder, read_config(folder), "image" if pictures else "text")
        automatic = classifiers(of_pictures=pictures)
        with quiet():
            try:
                self.model, report = automatic.from_pretrained(
                    folder,
                    use_safetensors=True,
                    trust_remote_code=False,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
            except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
                raise ModelError(
                    f"{folder} cannot be loaded as a classifier: {error}".splitlines()[0],
                    fix="pass a run, or a folder that save_pretrained wrote",
                ) from None
        missing = sorted(report["missing_keys"])
        if missing:
            raise ModelError(
                f"{folder} is no trained classifier: it has no weights for {', '.join(missing[:4])}",
                fix="train it first: tunewright run DATA --model FOLDER",
            )
        self.model.to(self.device).eval()
        self.answer = Answers(kind_of(self.model.config.problem_type))
        names = self.model.config.id2label
        self.labels: tuple[str, ...] = tuple(str(names[index]) for index in sorted(names))

    def answers(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """float64 (texts, labels), in the order of the texts; see `Answers.of`.

        Args:
            texts: or the paths of pictures.
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
        longest = trained_length(self.model.config, self.reader.longest_input)
        inputs = self.reader.read(texts, pairs, longest)
        if isinstance(inputs, Tokens):
            refuse_unknown_tokens(inputs.ids, self.model.get_input_embeddings().num_embeddings)
        return inputs

    def scores(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 (rows, labels), before softmax; of a batch of `inputs`."""
        with torch.inference_mode():
            given = {name: torch.from_numpy(each).to(self.device) for name, each in batch.items()}
            found: np.ndarray = self.model(**given).logits.cpu().numpy()
        return found
