"""Answers of a trained model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from tunewright.backends.answers import Answers, kind_of
from tunewright.backends.folder import load_tokenizer, quiet, trained_length
from tunewright.backends.tokens import (
    collate,
    refuse_unknown_tokens,
    tokenize,
)
from tunewright.backends.torch.device import keep_freed_memory, pick_device, set_threads
from tunewright.cores import usable_cores
from tunewright.errors import ModelError

BATCH_TOKENS = 4096


class TorchPredictor:
    """A folder that `AutoModelForSequenceClassification` loads, asked many rows at once.

    Raises:
        ModelError: the folder cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        keep_freed_memory()
        set_threads(usable_cores())
        self.device = pick_device()
        self.tokenizer = load_tokenizer(folder)
        with quiet():
            try:
                self.model, report = AutoModelForSequenceClassification.from_pretrained(
                    folder,
                    use_safetensors=True,
                    trust_remote_code=False,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
            except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
                raise ModelError(
                    f"{folder} cannot be loaded as a text classifier: {error}".splitlines()[0],
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
        """float64 (texts, labels), in the order of the texts; see `Answers.of`."""
        limit = trained_length(self.model.config, self.tokenizer)
        tokens = tokenize(self.tokenizer, texts, pairs, limit)
        refuse_unknown_tokens(tokens, self.model.get_input_embeddings().num_embeddings)
        return self.answer.by(
            lambda rows: self.scores(collate(tokens, rows, self.tokenizer.pad_token_id)),
            tokens.lengths,
            len(self.labels),
            budget=BATCH_TOKENS,
        )

    def scores(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 (rows, labels), before softmax; of a batch as `collate` gives it."""
        with torch.inference_mode():
            given = {name: torch.from_numpy(each).to(self.device) for name, each in batch.items()}
            found: np.ndarray = self.model(**given).logits.cpu().numpy()
        return found
