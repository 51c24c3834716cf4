"""A model folder and what reads its rows, before a recipe is resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tunewright.backends.chat_reader import ChatReader, RowError
from tunewright.backends.chats import ChatTokens
from tunewright.backends.folder import read_config
from tunewright.backends.inputs import Inputs, Reader
from tunewright.backends.new_tokens import refuse_unused
from tunewright.backends.pictures import PictureReader
from tunewright.backends.preferences import PairTokens
from tunewright.backends.settings import Part, Room
from tunewright.backends.tokens import TextReader, Tokens, refuse_unknown_tokens
from tunewright.cache import cache_folder
from tunewright.data.rows import Rows
from tunewright.errors import DataError
from tunewright.recipe.schema import Data, Reads

BF16_GAIN = 1.3
GIB = 1 << 30
MEMORY_SHARE = 0.25  # of what is free
MEMORY_MOST = 8 * GIB
LabelledRows = tuple[Rows, np.ndarray]


class Session:
    """What all backends do alike when a folder is opened.

    Args:
        reads: what a row is. data: how conversations are read.
        new_tokens: which the tokenizer of a language model is given.
    """

    def __init__(
        self,
        path: Path,
        reads: Reads = "text",
        data: Data | None = None,
        new_tokens: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.reads: Reads = reads
        self.config = config = read_config(path)
        self.reader: Reader = reader_for(path, config, reads, data, new_tokens)
        self.width = int(getattr(config, "hidden_size", 0) or getattr(config, "d_model", 0) or 512)
        self._read: dict[int, Inputs] = {}
        self.keeps_open = False  # models, for other recipes that are built alike

    @property
    def can_read_mean(self) -> bool:
        """Whether the head of this model can be given the mean of all tokens."""
        return False

    @property
    def was_trained_on_mean(self) -> bool:
        """Whether the model is a sentence encoder that was trained on that mean, and can be given it."""
        return False

    @property
    def longest_input(self) -> int | None:
        """Tokens that the model can read of a row; None where no row is ever cut."""
        return self.reader.longest_input

    def lengths(self, rows: Rows) -> np.ndarray:
        """int64 (rows): tokens per training row, up to what the model can read.

        Raises:
            RecipeError: a new token is in none of them.
        """
        known = self._read.get(id(rows))
        if known is not None:
            return known.lengths
        inputs = self._read_rows(rows, self.longest_input)
        if isinstance(self.reader, ChatReader) and isinstance(inputs, ChatTokens | PairTokens):
            refuse_unused(self.reader.new_tokens, inputs.ids)
        self._read[id(rows)] = inputs
        return inputs.lengths

    def inputs(
        self, parts: Mapping[str, LabelledRows], longest: int | None, known: int
    ) -> dict[str, Part]:
        """The rows of each part as the model takes them.

        Args:
            parts: "train" and "validation" to (rows, what is learned of them).
            longest: tokens at which a row is cut; None where none is.
            known: tokens that the model has an embedding for.
        """
        made = {
            name: Part(self._cut(rows, longest), targets) for name, (rows, targets) in parts.items()
        }
        for part in made.values():
            if isinstance(part.inputs, Tokens | ChatTokens | PairTokens):
                refuse_unknown_tokens(part.inputs.ids, known)
        return made

    def _cut(self, rows: Rows, longest: int | None) -> Inputs:
        known = self._read.get(id(rows))
        if known is not None and (
            longest is None
            or longest >= (self.longest_input or 0)
            or int(known.lengths.max(initial=0)) <= longest
        ):
            return known
        return self._read_rows(rows, longest)

    def _read_rows(self, rows: Rows, longest: int | None) -> Inputs:
        return read_rows(self.reader, rows, longest)


def read_rows(reader: Reader, rows: Rows, longest: int | None) -> Inputs:
    """The rows as the model takes them.

    Args:
        longest: tokens at which a row is cut, or refused; None where none is.
    Raises:
        DataError: rows that the reader refuses, each by its place.
    """
    try:
        return reader.read(rows.texts, rows.pairs, longest)
    except RowError as error:  # known here by its place
        more = f"; refused too: {rows.places(error.others)}" if error.others else ""
        raise DataError(f"{rows.place(error.row)}: {error.why}{more}", fix=error.fix) from None


def reader_for(
    path: Path,
    config: Any,
    reads: Reads,
    data: Data | None = None,
    new_tokens: Sequence[str] = (),
) -> Reader:
    """What turns rows into inputs for the model in a folder."""
    if reads in ("chat", "preference"):
        data = data or Data()
        return ChatReader(
            path,
            config,
            learn=data.learn,
            too_long=data.too_long,
            chat_template=data.chat_template,
            new_tokens=new_tokens,
        )
    return PictureReader(path) if reads == "image" else TextReader(path, config)


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
