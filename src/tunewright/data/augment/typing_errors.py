"""Slips of the finger: a letter's neighbour on the keyboard, a letter left out, two swapped."""

from __future__ import annotations

import numpy as np

SHORTEST = 4  # a slip in a shorter word makes another word of it too often
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    """Each letter's neighbours: beside it, and half a key off above and below."""
    keys = {
        letter: (row, 2 * column + row)
        for row, letters in enumerate(_ROWS)
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(
            other
            for other, (across, at) in keys.items()
            if other != letter and abs(across - row) <= 1 and abs(at - place) <= 2
        )
        for letter, (row, place) in keys.items()
    }


KEYBOARD = _neighbours()


def slip(word: str, random: np.random.Generator) -> str:
    """The word with one slip behind its first letter; a short one as it is."""
    if len(word) < SHORTEST:
        return word
    at = int(random.integers(1, len(word) - 1))
    kind = int(random.integers(3))
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    beside = KEYBOARD.get(word[at].lower(), "")
    if not beside:
        return word
    other = beside[int(random.integers(len(beside)))]
    return word[:at] + (other.upper() if word[at].isupper() else other) + word[at + 1 :]
