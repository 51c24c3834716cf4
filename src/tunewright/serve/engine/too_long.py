"""A text that is far too long is refused by its beginning: to cut 30 MiB into tokens takes minutes."""

from __future__ import annotations

from collections.abc import Callable

from tunewright.serve.answers import ApiError

LETTERS = 8  # of a token; most have about four
AT_BORDER = 16  # tokens that a cut in the middle of the text may add
MOST_LETTERS = 1_000_000  # where the rest of a text that is too long is left unread


def refuse_endless(
    text: str, count: Callable[[str], int], *, longest: int, param: str | None
) -> None:
    """Raise ApiError where a beginning of the text has more tokens than the model reads.

    Args:
        count: how many tokens a text has. longest: tokens that the model reads.
        param: the field that has the text.
    """
    letters = LETTERS * longest
    while letters < len(text):
        if count(text[:letters]) > longest + AT_BORDER:
            told = f"This model's context is {longest:,} tokens, and the text has many more"
            raise ApiError(400, told, param, "context_length_exceeded")
        letters *= 4


def refuse_more_letters(text: str, param: str) -> None:
    """Raise ApiError for more than a million letters."""
    if len(text) > MOST_LETTERS:
        told = f"The text has {len(text):,} letters; at most {MOST_LETTERS:,} are read"
        raise ApiError(400, told, param, "context_length_exceeded")
