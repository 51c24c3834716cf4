"""Words that a model has close to each other in its own table of word vectors.

V words, W width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from tunewright.data.augment.words import is_negation

CLOSE = 0.6  # cosine
MOST = 3
SHORTEST = 3  # letters
_BEGINS = ("Ġ", "▁")  # a token that begins a word, where the vocabulary marks these


def neighbours(tokenizer: Any, table: torch.Tensor, words: Iterable[str]) -> dict[str, list[str]]:
    """Each word's nearest others, where some are close.

    Only words that are one token each, in lower case. A word that negates is never one of them,
    nor is one that begins alike: that is often another form of the word.

    Args:
        table: float (tokens, width), the model's word vectors.
    """
    known = _whole_words(tokenizer)
    names = list(known)
    if not names:
        return {}
    rows_VW = table.detach()[torch.tensor([known[name] for name in names])].float().cpu()
    units_VW = torch.nn.functional.normalize(rows_VW, dim=1)
    at = {name: place for place, name in enumerate(names)}
    found: dict[str, list[str]] = {}
    for word in sorted({word.lower() for word in words} & set(at)):
        close = units_VW @ units_VW[at[word]]
        best = torch.topk(close, min(4 * MOST, len(names)))
        others = [
            names[place]
            for share, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            if share >= CLOSE and names[place][:SHORTEST] != word[:SHORTEST]
        ]
        if others:
            found[word] = others[:MOST]
    return found


def _whole_words(tokenizer: Any) -> dict[str, int]:
    """Word to token, of the tokens that are a plain word."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    marked = any(token.startswith(_BEGINS) for token in vocabulary)
    found = {}
    for token, number in sorted(vocabulary.items(), key=lambda item: item[1]):
        if marked and not token.startswith(_BEGINS):
            continue
        word = token[1:] if marked else token
        plain = len(word) >= SHORTEST and word.isalpha() and word.islower()
        if plain and not is_negation(word):
            found[word] = number
    return found
