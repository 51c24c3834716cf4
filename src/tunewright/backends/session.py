"""A model folder and its tokenizer, before a recipe is resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil

from tunewright.backends.folder import load_tokenizer, longest_input, read_config
from tunewright.backends.settings import Part, Room
from tunewright.backends.tokens import Tokens, refuse_unknown_tokens, tokenize
from tunewright.cache import cache_folder
from tunewright.data.rows import Rows

BF16_GAIN = 1.3
GIB = 1 << 30
MEMORY_SHARE = 0.25  # of what is free
MEMORY_MOST = 8 * GIB
LabelledRows = tuple[Rows, np.ndarray]


class Session:
    """What all backends do alike when a folder is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tokenizer = load_tokenizer(path)
        self.config = read_config(path)
        config = self.config
        self.width = int(getattr(config, "hidden_size", 0) or getattr(config, "d_model", 0) or 512)
        self.longest_input = longest_input(config, self.tokenizer)
        self._tokens: dict[int, Tokens] = {}

    def lengths(self, rows: Rows) -> np.ndarray:
        """int64 (rows): tokens per row, up to what the model can read."""
        tokens = tokenize(self.tokenizer, rows.texts, rows.pairs, self.longest_input)
        self._tokens[id(rows)] = tokens
        return tokens.lengths

    def tokenized(
        self, parts: Mapping[str, LabelledRows], max_length: int, known: int
    ) -> dict[str, Part]:
        """The rows of each part as tokens.

        Args:
            parts: "train" and "validation" to (rows, label numbers).
            max_length: tokens at which a row is cut.
            known: tokens that the model has an embedding for.
        """
        made = {
            name: Part(self._cut(rows, max_length), numbers)
            for name, (rows, numbers) in parts.items()
        }
        for part in made.values():
            refuse_unknown_tokens(part.tokens, known)
        return made

    def _cut(self, rows: Rows, max_length: int) -> Tokens:
        known = self._tokens.get(id(rows))
        if known is not None and (max_length >= self.longest_input or known.longest <= max_length):
            return known
        return tokenize(self.tokenizer, rows.texts, rows.pairs, max_length)


def faster_precision(fp32: float, bf16: float) -> tuple[str, str]:
    """The precision whose matrix products run faster, and why; from GFLOP/s of both."""
    seen = f"products run at {bf16:.0f} GFLOP/s in bf16 and {fp32:.0f} in fp32 here"
    return ("bf16" if bf16 > BF16_GAIN * fp32 else "fp32"), seen


def room_for(cache: float | str) -> Room | None:
    """What kept activations may take, by `train.cache`; None for nothing."""
    if cache == "off":
        return None
    memory = min(MEMORY_MOST, int(MEMORY_SHARE * psutil.virtual_memory().available))
    return Room(memory, int(float(cache) * GIB), cache_folder() / "activations")
