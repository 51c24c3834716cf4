"""Tokens that a tokenizer is given beside those that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.errors import RecipeError


@dataclass(frozen=True)
class NewToken:
    """A token, and the pieces that stood for it before.

    Args:
        number: its place in the vocabulary. pieces: numbers of other tokens.
    """

    text: str
    number: int
    pieces: tuple[int, ...]


def add_tokens(tokenizer: Any, texts: Sequence[str]) -> tuple[NewToken, ...]:
    """Give the tokenizer tokens, in place; it writes them out in answers like any other.

    Raises:
        RecipeError: it has one of them already.
    """
    from transformers import AddedToken

    pieces = [_pieces(tokenizer, text) for text in texts]
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in texts])
    numbers = tokenizer.convert_tokens_to_ids(list(texts))
    return tuple(map(NewToken, texts, numbers, pieces))


def refuse_unused(tokens: Sequence[NewToken], ids: np.ndarray) -> None:
    """Raise RecipeError for a new token that no row has: it would never be learned."""
    there = set(np.unique(ids).tolist())
    for token in tokens:
        if token.number not in there:
            raise RecipeError(
                f"adapt.new_tokens has {token.text}, which no training row has",
                fix="take it out, or add rows that have it",
            )


def _pieces(tokenizer: Any, text: str) -> tuple[int, ...]:
    pieces = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    alone = len(pieces) == 1 and pieces[0] != tokenizer.unk_token_id
    if alone or not pieces or text in tokenizer.get_vocab():
        raise RecipeError(
            f"adapt.new_tokens has {text}, which is a token of this model already",
            fix="take it out",
        )
    return pieces
