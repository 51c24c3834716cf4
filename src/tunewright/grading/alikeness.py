"""How alike two texts are, in the eleven ways of a text_similarity grader."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from tunewright.evaluation.similarity import (
    bleu,
    bleu_counts,
    ngrams,
    pieces,
    rouge,
    rouge_longest,
)

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Texts to their vectors."""

GLEU_ORDERS = 4
# METEOR's own: the weight of precision against recall, and the shape of the penalty for disorder.
_PRECISION_WEIGHT, _DISORDER_POWER, _DISORDER_SHARE = 0.9, 3.0, 0.5


def alikeness(metric: str, answer: str, reference: str, *, embed: Embed | None = None) -> float:
    """How alike, from 0 to 1 (cosine: from -1).

    Args:
        metric: a name of the API, such as `fuzzy_match` or `rouge_2`.
        embed: texts to vectors; cosine alone needs it.
    Raises:
        ValueError: there is no such metric, or cosine without `embed`.
    """
    if metric == "cosine" and embed is not None:
        return cosine(*embed([answer, reference]))
    if metric.startswith("rouge_") and metric[6:].isdecimal():
        return rouge(answer, reference, int(metric[6:]))
    if metric not in _METRICS:
        raise ValueError(f"'{metric}' cannot be computed")
    return _METRICS[metric](answer, reference)


def fuzzy_match(answer: str, reference: str) -> float:
    """Share of characters that need no insertion or deletion (rapidfuzz's ratio, from 0 to 1)."""
    from rapidfuzz import fuzz

    return fuzz.ratio(answer, reference) / 100


def sentence_bleu(answer: str, reference: str) -> float:
    """BLEU of one text, from 0 to 1."""
    return float(bleu(np.asarray([bleu_counts(answer, reference)], dtype=float))[0])


def gleu(answer: str, reference: str) -> float:
    """Google's BLEU: of the 1- to 4-grams, the lower of precision and recall.

    Source:
        Wu et al. 2016, Google's Neural Machine Translation System.
    """
    ours, theirs = (
        Counter(gram for order in range(1, GLEU_ORDERS + 1) for gram in ngrams(tokens, order))
        for tokens in (pieces(answer), pieces(reference))
    )
    most = max(ours.total(), theirs.total())
    return (ours & theirs).total() / most if most else 1.0


def meteor(answer: str, reference: str) -> float:
    """METEOR by the same words, then the same stems; without synonyms.

    Source:
        Banerjee and Lavie 2005; Lavie and Agarwal 2007.
    """
    ours, theirs = pieces(answer), pieces(reference)
    pairs = aligned(ours, theirs)
    if not pairs:
        return float(not ours and not theirs)
    precision, recall = len(pairs) / len(ours), len(pairs) / len(theirs)
    weight = _PRECISION_WEIGHT
    mean = precision * recall / (weight * precision + (1 - weight) * recall)
    breaks = sum((b[0] - a[0], b[1] - a[1]) != (1, 1) for a, b in pairwise(pairs))
    disorder: float = _DISORDER_SHARE * ((breaks + 1) / len(pairs)) ** _DISORDER_POWER
    return (1 - disorder) * mean


def aligned(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Places of words that stand for each other, in our order; each word once, the last first."""
    pairs: list[tuple[int, int]] = []
    for form in (str, _stemmer().stemWord):
        mine, other = {p[0] for p in pairs}, {p[1] for p in pairs}
        places: dict[str, list[int]] = {}
        for place, word in enumerate(theirs):
            if place not in other:
                places.setdefault(form(word), []).append(place)
        for place in reversed(range(len(ours))):
            if place not in mine and places.get(word := form(ours[place])):
                pairs.append((place, places[word].pop()))
    return sorted(pairs)


def cosine(one: Sequence[float], two: Sequence[float]) -> float:
    """Cosine of the angle between two vectors; zero for a vector of zeros."""
    a, b = np.asarray(one, dtype=float), np.asarray(two, dtype=float)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    value = float(a @ b) / length if length else 0.0
    return max(-1.0, min(1.0, value)) if math.isfinite(value) else 0.0


@cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("porter")


_METRICS: dict[str, Callable[[str, str], float]] = {
    "fuzzy_match": fuzzy_match,
    "bleu": sentence_bleu,
    "gleu": gleu,
    "meteor": meteor,
    "rouge_l": rouge_longest,
}
