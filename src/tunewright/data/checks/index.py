"""The parts of the data with what every check asks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tunewright.data.duplicates import KEY, Keys, text_key
from tunewright.data.labels import of_row
from tunewright.data.near import Near, near_texts
from tunewright.data.rows import Rows
from tunewright.recipe.schema import Kind, Reads

Parts = Mapping[str, Rows]
_NOUNS: dict[Reads, str] = {
    "text": "text",
    "image": "picture",
    "chat": "conversation",
    "preference": "pair of answers",
}


@dataclass(frozen=True)
class Index:
    """The parts with what every check asks: which rows are empty, and which are the same."""

    parts: Parts
    keys: dict[str, Keys]
    empty: dict[str, set[int]]
    kind: Kind

    @cached_property
    def noun(self) -> str:
        """What a row is, for people."""
        return _NOUNS[next((rows.reads for rows in self.parts.values()), "text")]

    @property
    def of_form(self) -> bool:
        """Whether rows are conversations or preferences, without labels."""
        return self.noun not in ("text", "picture")

    @cached_property
    def whole_keys(self) -> dict[str, Keys]:
        """One key for each row, the same where all of the row is, not its prompt alone."""
        if not self.of_form:
            return self.keys
        return {
            part: np.fromiter((text_key(text, None) for text in rows.texts), KEY, len(rows))
            for part, rows in self.parts.items()
        }

    @cached_property
    def near(self) -> Near:
        """Texts, or what is asked in conversations, that are nearly the same."""
        return near_texts(list(self.parts.values()), list(self.keys.values()))

    @cached_property
    def near_wholes(self) -> Near:
        """Texts, or conversations with their answers, that are nearly the same."""
        if not self.of_form:
            return self.near
        keys = list(self.whole_keys.values())
        return near_texts(list(self.parts.values()), keys, whole=True)

    def classes(self, rows: Rows) -> Iterator[tuple[int, str]]:
        """(row, class), as often as a row has one."""
        for row, label in enumerate(rows.labels or ()):
            for name in of_row(label, self.kind):
                yield row, name


def look(parts: Parts, kind: Kind = "one") -> Index:
    """Read what the checks ask of every row."""
    keys = {part: rows.text_keys() for part, rows in parts.items()}
    empty = {part: set(_empty(rows)) for part, rows in parts.items()}
    return Index(parts, keys, empty, kind)


def _empty(rows: Rows) -> Iterator[int]:
    """Rows of which nothing can be learned: without text, or with a picture that has a flaw."""
    if rows.reads == "image":
        yield from (index for index, flaw in enumerate(rows.flaws or ()) if flaw is not None)
        return
    pairs = iter(rows.pairs) if rows.pairs is not None else None
    for index, text in enumerate(rows.texts):
        pair = "-" if pairs is None else next(pairs)
        if not text.strip() or not pair.strip():
            yield index


def pairs_of_parts(parts: Parts) -> list[tuple[str, str]]:
    """(part that gives rows up, part that keeps them)."""
    pairs = (("validation", "test"), ("train", "test"), ("train", "validation"))
    return [(one, two) for one, two in pairs if one in parts and two in parts]


def also_in(index: Index, part: str, other: str) -> list[int]:
    """Rows of `part` whose text is also in `other`; empty texts aside."""
    theirs = np.delete(index.keys[other], sorted(index.empty[other]))
    shared = np.flatnonzero(np.isin(index.keys[part], theirs))
    return [i for i in shared.tolist() if i not in index.empty[part]]


def way_on(code: str, other: str) -> str:
    """The two ways to go on in spite of a leak into the test part, for the end of a fix."""
    if other != "test":
        return ""
    return (
        " (`tunewright check DATA --exclude LIST.jsonl` lists the rows; go on without them by "
        f"--set data.exclude=LIST.jsonl), or go on as it is by --set data.allow={code}"
    )


def num_rows(count: int) -> str:
    """A number of rows in words, for messages."""
    return "1 row" if count == 1 else f"{count} rows"
