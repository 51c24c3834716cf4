"""Which words of a text may be changed, and the text put together again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

FEWEST_WORDS = 5  # in a shorter text every word may be the one that the label hangs on
_WORD = re.compile(r"\S+")
_CORE = re.compile(r"[^\W\d_](?:[^\W\d_]|['’](?=[^\W\d_]))*")
_IN_SOME_LANGUAGES = (
    "no not never none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt "
    "isnt arent wasnt werent wont wouldnt shouldnt couldnt hasnt havent hadnt aint n't hardly "
    "barely scarcely seldom rarely lack lacks lacked lacking except unless few little less least "
    "nicht nichts nie niemals niemand kein keine keinen keinem keiner keines ohne weder noch kaum "
    "ne ni non pas jamais rien aucun aucune personne sans guère nunca nada nadie ningún ninguna "
    "ninguno sin tampoco jamás niente nessuno nessuna mai senza neanche não nenhum nenhuma sem "
    "niet geen nooit niemand zonder"
)
_NEGATIONS = frozenset(_IN_SOME_LANGUAGES.split())


@dataclass(frozen=True)
class Word:
    """A word between its signs: what stands before it, itself, what stands after it.

    free: whether it may be changed.
    """

    before: str
    core: str
    after: str
    free: bool

    def __str__(self) -> str:
        return f"{self.before}{self.core}{self.after}"

    def with_core(self, core: str) -> Word:
        """Another word in this one's place, as large as it is written."""
        if self.core.isupper() and len(self.core) > 1:
            core = core.upper()
        elif self.core[:1].isupper():
            core = core[:1].upper() + core[1:]
        return replace(self, core=core)


def words_of(text: str) -> list[Word]:
    """The words of a text; what holds no letter at all, or more than a word, is not free.

    >>> [word.core for word in words_of("It's 3 (really) good, not bad!") if word.free]
    ["It's", 'really', 'good', 'bad']
    """
    return [_word(found) for found in _WORD.findall(text)]


def joined(words: list[Word]) -> str:
    """The text of these words, one space between two."""
    return " ".join(map(str, words))


def is_negation(word: str) -> bool:
    """Whether a word turns the meaning of others round.

    >>> is_negation("Don't"), is_negation("never"), is_negation("done")
    (True, True, False)
    """
    plain = word.lower().replace("’", "'")
    return plain in _NEGATIONS or plain.endswith("n't") or plain.replace("'", "") in _NEGATIONS


def free_places(words: list[Word]) -> list[int]:
    """Which words may be changed: none where the text is short."""
    if len(words) < FEWEST_WORDS:
        return []
    return [place for place, word in enumerate(words) if word.free]


def _word(text: str) -> Word:
    found = _CORE.search(text)
    if found is None:
        return Word(text, "", "", free=False)
    before, core, after = text[: found.start()], found[0], text[found.end() :]
    rest = before + after
    plain = not any(sign.isalnum() or sign in "@#_/\\<>[]{}=&" for sign in rest)
    return Word(before, core, after, free=plain and not is_negation(core))
