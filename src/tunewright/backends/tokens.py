"""Texts to token ids, kept flat: one array for all rows, and where each row begins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.flat_rows import FlatRows
from tunewright.backends.folder import load_tokenizer, longest_input, reads_pictures
from tunewright.data.rows import in_chunks
from tunewright.errors import ModelError

COUNTED_CHARACTERS = 20_000  # of a text whose tokens are counted; the rest counts in proportion
LONGEST_TOKEN = 16  # in characters: of a text that is cut, more tokens are counted than are read


@dataclass(frozen=True)
class Tokens(FlatRows):
    """The rows of one part.

    ids: int32 (all tokens); types: int8 (all tokens) or None; starts: int64 (rows + 1); padding: the
    token that stands past a row's end.
    """

    ids: np.ndarray
    types: np.ndarray | None
    starts: np.ndarray
    padding: int

    def sha256(self) -> str:
        """See `Inputs`."""
        found = hashlib.sha256(str(self.padding).encode())
        for array in (self.ids, self.starts, self.types):
            found.update(repr(None if array is None else (array.dtype, array.shape)).encode())
            found.update(b"" if array is None else array.tobytes())
        return found.hexdigest()

    def end_in_padding(self) -> bool:
        """Whether a row's own last token is the padding token."""
        return bool((self.ids[self.starts[1:] - 1] == self.padding).any())

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Padded int64 arrays (rows, longest row) of ids, mask and, for pairs, types."""
        inside, at = self.padded(rows)
        ids = np.full(inside.shape, self.padding, dtype=np.int64)
        ids[inside] = self.ids[at]
        arrays = {"input_ids": ids, "attention_mask": inside.astype(np.int64)}
        if self.types is not None:
            types = np.zeros(inside.shape, dtype=np.int64)
            types[inside] = self.types[at]
            arrays["token_type_ids"] = types
        return arrays


class TextReader:
    """Implements `Reader`, by a folder's tokenizer.

    Raises:
        ModelError: the folder has none that can be read, or holds a model of pictures.
    """

    def __init__(self, path: Path, config: Any) -> None:
        if reads_pictures(path):
            raise ModelError(
                f"rows are texts, and {path} holds a model of pictures",
                fix="name a model of texts, such as --model minilm",
            )
        self.tokenizer = load_tokenizer(path)
        give_padding(self.tokenizer)
        self.padding: int = self.tokenizer.pad_token_id
        self.longest_input: int | None = longest_input(config, self.tokenizer)

    def read(
        self, texts: Sequence[str], pairs: Sequence[str] | None, longest: int | None
    ) -> Tokens:
        """See `Reader`."""
        return tokenize(self.tokenizer, texts, pairs, longest or self.longest_input or 0)

    def whole_lengths(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        """See `Reader`. Of a long document, by its beginning and in proportion."""
        most = max(COUNTED_CHARACTERS, LONGEST_TOKEN * (self.longest_input or 0))
        given = [_printable(text[:most]) for text in texts]
        others = None if pairs is None else [_printable(pair[:most]) for pair in pairs]
        coded = self.tokenizer(
            given,
            others,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        read = map(_characters, given, others or [""] * len(given))
        there = map(_characters, texts, pairs or [""] * len(given))
        found = zip(coded["input_ids"], read, there, strict=True)
        lengths = (len(ids) * whole / max(1, part) for ids, part, whole in found)
        return np.fromiter(lengths, np.float64).round().astype(np.int64)

    def save(self, folder: Path) -> None:
        """See `Reader`."""
        self.tokenizer.save_pretrained(folder)


def give_padding(tokenizer: Any) -> None:
    """Decoders often have no padding token; the end token serves, under the mask."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError("the tokenizer has no padding, end or unknown token", fix="add one to it")
    tokenizer.padding_side = "right"


def tokenize(
    tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> Tokens:
    """All rows as token ids, cut at `max_length` tokens."""
    read: Iterable[str] = texts
    if pairs is None and tokenizer.truncation_side == "right":
        read = (_beginning(text, 2 * max_length) for text in texts)
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths: list[int] = []
    wants_types = "token_type_ids" in tokenizer.model_input_names and pairs is not None
    for some, others in in_chunks(read, pairs):
        coded = tokenizer(
            [_printable(text) for text in some],
            None if others is None else [_printable(text) for text in others],
            truncation=True,
            max_length=max_length,
            return_attention_mask=False,
            return_overflowing_tokens=False,
        )
        for index, row in enumerate(coded["input_ids"]):
            if not row:  # an empty text, and a tokenizer that adds nothing to it
                row = [tokenizer.pad_token_id]
                if wants_types:
                    coded["token_type_ids"][index] = [0]
            ids.append(np.asarray(row, dtype=np.int32))
            lengths.append(len(row))
            if wants_types:
                types.append(np.asarray(coded["token_type_ids"][index], dtype=np.int8))
    return Tokens(
        ids=np.concatenate(ids) if ids else np.zeros(0, np.int32),
        types=np.concatenate(types) if types else None,
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        padding=tokenizer.pad_token_id,
    )


def _beginning(text: str, words: int) -> str:
    """What is before the word after so many: long documents cost no more than what is read.

    A word is a token at least, so twice as many words as tokens leave the first ones as they are.

    >>> _beginning("one  two three four", 2)
    'one  two '
    """
    cut = text.split(None, words)
    return text[: len(text) - len(cut[words])] if len(cut) > words else text


def _characters(text: str, pair: str) -> int:
    return len(text) + len(pair)


def refuse_unknown_tokens(ids: np.ndarray, known: int) -> None:
    """Raise ModelError when a token has no row in an embedding table of `known` rows."""
    highest = int(ids.max(initial=0))
    if highest >= known:
        raise ModelError(
            f"the tokenizer gives token {highest}, the model knows tokens 0 to {known - 1}",
            fix="take the tokenizer from the model that the weights belong to",
        )


def _printable(text: str) -> str:
    """Unpaired surrogates cannot be encoded as UTF-8, which tokenizers need."""
    return text.encode("utf-8", "replace").decode("utf-8")
