"""Views of the training rows, as a model takes them: the rows themselves, then each of them changed.

A view is a pure function of the seed, the row's id and the view's number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np

from tunewright.backends.inputs import Inputs, Reader
from tunewright.backends.packed import make_packed
from tunewright.backends.pictures import IN_MEMORY, Pixels
from tunewright.backends.settings import Part
from tunewright.backends.tokens import Tokens
from tunewright.cache import cache_folder
from tunewright.data.augment import pictures, texts
from tunewright.data.augment.words import free_places, words_of
from tunewright.data.rows import Rows
from tunewright.recipe.augment import Augment
from tunewright.train.batches import draw_key


@dataclass(frozen=True)
class Views:
    """What views are made of: plain values of a resolved recipe."""

    methods: tuple[str, ...]
    count: int
    strength: float
    seed: int

    def random(self, row_id: str, view: int) -> np.random.Generator:
        """All draws of one view of one row."""
        return np.random.default_rng(draw_key("view", self.seed, row_id, view))


def views_of(augment: Augment, seed: int) -> Views | None:
    """None where rows are shown as they are."""
    wanted: Any = augment
    if isinstance(wanted.methods, str):
        return None
    return Views(wanted.methods, wanted.views, wanted.strength, seed)


def with_views(
    part: Part,
    rows: Rows,
    views: Views,
    *,
    reader: Reader,
    longest: int | None,
    others: Mapping[str, texts.Others],
) -> Part:
    """The part with every view of its rows, and the same targets for each.

    Args:
        part: of the rows as they are.
        longest: tokens at which a row is cut.
        others: "synonym" and "neighbour" to the words that may stand in a word's place.
    """
    inputs: Inputs
    if isinstance(part.inputs, Pixels):
        inputs, differ = _pixels(part.inputs, rows, views)
    else:
        changes = [_change(name, others) for name in views.methods]
        made: list[Inputs] = [part.inputs]
        differ = np.zeros(len(rows), dtype=bool)
        for view in range(1, views.count):
            shown, pairs, changed = _texts(rows, views, view, changes)
            made.append(reader.read(shown, pairs, longest))
            differ |= changed
        inputs = _one_after_another(made)
    targets = np.concatenate([part.targets] * views.count)
    return replace(
        part, inputs=inputs, targets=targets, views=views.count, changed=int(differ.sum())
    )


def free_words(rows: Rows) -> set[str]:
    """Every word of the rows that may be changed, in lower case."""
    found: set[str] = set()
    for some in (rows.texts, rows.pairs or ()):
        for text in some:
            words = words_of(text)
            found.update(words[place].core.lower() for place in free_places(words))
    return found


def _change(name: str, others: Mapping[str, texts.Others]) -> texts.Change:
    plain: dict[str, texts.Change] = {
        "delete": texts.deleted,
        "swap": texts.swapped,
        "typing": texts.mistyped,
    }
    return plain[name] if name in plain else texts.replaced_by(others[name])


def _texts(
    rows: Rows, views: Views, view: int, changes: Sequence[texts.Change]
) -> tuple[list[str], list[str] | None, np.ndarray]:
    """One view of all texts (and pairs), and which of the rows differ in it."""
    shown: list[str] = []
    pairs: list[str] = []
    differ = np.zeros(len(rows), dtype=bool)
    both: Iterator[Any] = zip(rows.ids, rows.texts, rows.pairs or repeat(""), strict=False)
    for row, (row_id, text, pair) in enumerate(both):
        random = views.random(row_id, view)
        shown.append(texts.view_of(text, changes, views.strength, random))
        pairs.append(texts.view_of(pair, changes, views.strength, random))
        differ[row] = (shown[-1], pairs[-1]) != (text, pair)
    return shown, None if rows.pairs is None else pairs, differ


def _pixels(plain: Pixels, rows: Rows, views: Views) -> tuple[Pixels, np.ndarray]:
    """Every view of all pictures, and which of these differ in one of theirs."""
    count, size = len(plain), plain.height * plain.width * 3
    kept = make_packed(
        np.ones(count * views.count, dtype=np.int64),
        size,
        np.dtype(np.uint8),
        in_memory=IN_MEMORY,
        folder=cache_folder() / "activations",
    )
    kept.flat[:count] = plain.kept.flat
    differ = np.zeros(count, dtype=bool)
    for row, row_id in enumerate(rows.ids):
        picture = plain.kept.flat[row].reshape(plain.height, plain.width, 3)
        for view in range(1, views.count):
            random = views.random(row_id, view)
            changed = pictures.view_of(picture, views.methods, views.strength, random)
            kept.flat[view * count + row] = changed.reshape(-1)
            differ[row] |= not np.array_equal(changed, picture)
    return replace(plain, kept=kept), differ


def _one_after_another(made: Sequence[Inputs]) -> Tokens:
    tokens = [each for each in made if isinstance(each, Tokens)]
    lengths = np.concatenate([each.lengths for each in tokens])
    types = [each.types for each in tokens if each.types is not None]
    return replace(
        tokens[0],
        ids=np.concatenate([each.ids for each in tokens]),
        types=np.concatenate(types) if types else None,
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
    )
