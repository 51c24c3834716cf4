"""A sentence encoder that is asked which label's name a text is nearest to: nothing is learned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import is_sentence_encoder, mean_vectors
from tunewright.data.prepare import Prepared
from tunewright.data.rows import Rows
from tunewright.evaluation.baselines import FittedBaseline
from tunewright.recipe.schema import READS, Recipe

NAME = "zero-shot"
SCALE = 20.0  # times the cosine: what such encoders were trained with


def unfit(prepared: Prepared, base: Path, recipe: Recipe) -> str | None:
    """Why a model cannot be asked, if so.

    Args:
        base: its folder. recipe: resolved.
    """
    if READS[recipe.task] != "text" or prepared.kind != "one":
        return "it is for texts with one label each"
    if prepared.train.pairs is not None:
        return "rows are pairs of texts"
    if nameless := [label for label in prepared.labels if not re.search(r"[^\W\d_]{2}", label)]:
        return f"the label {nameless[0]} is not a word"
    if not is_sentence_encoder(base):
        return "the model is not known as a sentence encoder"
    return None


def zero_shot(labels: Sequence[str], base: Path, recipe: Recipe) -> FittedBaseline:
    """Shares by the cosine between a text and each label's name.

    Args:
        base: the folder of a sentence encoder.
    """
    longest: Any = recipe.train.max_length

    def answer(rows: Rows) -> np.ndarray:
        from scipy.special import softmax

        names = _directions(mean_vectors(base, [named(label) for label in labels]))
        texts = _directions(mean_vectors(base, rows.texts, longest=longest))
        found: np.ndarray = softmax(SCALE * (texts @ names.T).astype(np.float64), axis=1)
        return found

    return FittedBaseline(NAME, 0.0, 0, answer)


def named(label: str) -> str:
    """What a label says in words.

    >>> named("card_arrival"), named("LostCard")
    ('card arrival', 'Lost Card')
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(re.split(r"[\s_\-/]+", apart.strip("_- ")))


def _directions(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))
