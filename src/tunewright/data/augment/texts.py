"""Views of a text: one way of changing it, drawn from those asked for, on a few of its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tunewright.data.augment.typing_errors import slip
from tunewright.data.augment.words import Word, free_places, joined, words_of

Others = Mapping[str, Sequence[str]]
"""Lower-case word → words that may stand in its place."""
Change = Callable[[list[Word], list[int], np.random.Generator], list[Word]]


def view_of(
    text: str, changes: Sequence[Change], strength: float, random: np.random.Generator
) -> str:
    """The text with a share of its words changed, in one of these ways.

    A text of few words, or one in which nothing may be changed, is answered as it is.

    Args:
        strength: share of the words, one at least.
    """
    words = words_of(text)
    free = free_places(words)
    if not free:
        return text
    change = changes[int(random.integers(len(changes)))]
    wanted = max(1, round(strength * len(words)))
    changed = change(words, random.permutation(free)[:wanted].tolist(), random)
    return text if changed == words else joined(changed)


def deleted(words: list[Word], places: list[int], random: np.random.Generator) -> list[Word]:
    """Without the words at these places; their signs stay."""
    kept: list[Word] = []
    for place, word in enumerate(words):
        if place not in places:
            kept.append(word)
        elif word.before or word.after:
            kept.append(Word(word.before + word.after, "", "", free=False))
    return kept


def swapped(words: list[Word], places: list[int], random: np.random.Generator) -> list[Word]:
    """Each of these words changes places with the next, where that one is free too.

    Signs stay where they are.
    """
    made = list(words)
    for place in places:
        if place + 1 < len(made) and made[place].free and made[place + 1].free:
            first, second = made[place], made[place + 1]
            made[place] = Word(first.before, second.core, first.after, free=True)
            made[place + 1] = Word(second.before, first.core, second.after, free=True)
    return made


def mistyped(words: list[Word], places: list[int], random: np.random.Generator) -> list[Word]:
    """With a slip of the finger in each of these words."""
    made = list(words)
    for place in places:
        word = made[place]
        made[place] = Word(word.before, slip(word.core, random), word.after, free=True)
    return made


def replaced_by(others: Others) -> Change:
    """A change that puts one of a word's others in its place.

    Words without others are passed over, and the draw goes to words that have some.
    """

    def replaced(words: list[Word], places: list[int], random: np.random.Generator) -> list[Word]:
        able = [place for place in free_places(words) if words[place].core.lower() in others]
        chosen = random.permutation(able)[: len(places)].tolist()
        made = list(words)
        for place in chosen:
            choices = others[words[place].core.lower()]
            made[place] = words[place].with_core(choices[int(random.integers(len(choices)))])
        return made

    return replaced
