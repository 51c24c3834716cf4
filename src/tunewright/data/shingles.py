"""What two texts are compared by: their words, and small pieces of these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

LONG_WORDS = 100
"""Longer texts are compared by runs of words: nearly all of them have the same pieces of words."""
RUN = 3
MOST_CHARACTERS = 200_000
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text in one case; punctuation, symbols and white space do not count.

    Of a text with more than 200,000 characters, those at its beginning: they tell it apart.

    >>> words("I can't log-in!")
    ['i', 'cant', 'log', 'in']
    """
    text = text[:MOST_CHARACTERS]
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


def num_replaced(one: Sequence[str], two: Sequence[str]) -> int:
    """How many words stand where the other text has other words; typing errors aside.

    >>> num_replaced("a new card please".split(), "a nwe phone please".split())
    1
    """
    left = 0
    others = list((Counter(two) - Counter(one)).elements())
    for word in (Counter(one) - Counter(two)).elements():
        meant = next((other for other in others if is_typo(word, other)), None)
        if meant is None:
            left += 1
        else:
            others.remove(meant)
    return min(left, len(others))


def is_typo(one: str, two: str) -> bool:
    """Whether one letter is another, missing, too much, or in the place of the next.

    >>> is_typo("card", "crad"), is_typo("card", "cards"), is_typo("card", "lord")
    (True, True, False)
    """
    start = _num_equal(one, two)
    one, two = one[start:], two[start:]
    end = _num_equal(one[::-1], two[::-1])
    one, two = one[: len(one) - end], two[: len(two) - end]
    return max(len(one), len(two)) <= 1 or (len(one) == 2 and one == two[::-1])


def _num_equal(one: str, two: str) -> int:
    """How many letters are the same from the start."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(two)))


def numbers(found: Sequence[str]) -> list[str]:
    """The words with a digit in them, sorted."""
    return sorted(word for word in found if any(letter.isdigit() for letter in word))
