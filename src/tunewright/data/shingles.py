"""What two texts are compared by: their words, and small pieces of these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

LONG_WORDS = 100
"""Longer texts are compared by runs of words: nearly all of them have the same pieces of words."""
RUN = 3
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text in one case; punctuation, symbols and white space do not count.

    >>> words("I can't log-in!")
    ['i', 'cant', 'log', 'in']
    """
    return _WORD.findall(text.replace("'", "").replace("\u2019", "").casefold())


@lru_cache(1 << 16)
def pieces(word: str) -> tuple[str, ...]:
    """Every three characters in a row of a word, with a space before and after it.

    >>> pieces("card")
    (' ca', 'car', 'ard', 'rd ')
    """
    padded = f" {word} "
    return tuple(padded[at : at + RUN] for at in range(max(1, len(padded) - RUN + 1)))


def shingles(found: Sequence[str]) -> set[str]:
    """The pieces of the words; of a text with many words, every three words in a row."""
    if len(found) > LONG_WORDS:
        return {" ".join(found[at : at + RUN]) for at in range(len(found) - RUN + 1)}
    return set().union(*map(pieces, found))


def jaccard(one: set[str], two: set[str]) -> float:
    """What the sets share, as a part of all that is in them; 0 where both are empty."""
    shared = len(one & two)
    return shared / ((len(one) + len(two) - shared) or 1)


def in_order(one: Sequence[str], two: Sequence[str]) -> float:
    """The share of the words that stand in the same order in both, from 0 to 1."""
    return SequenceMatcher(None, one, two, autojunk=False).ratio()


def numbers(found: Sequence[str]) -> list[str]:
    """The words with a digit in them, sorted."""
    return sorted(word for word in found if any(letter.isdigit() for letter in word))
