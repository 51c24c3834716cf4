"""What a text that is to be written is asked with, and what is told of it while it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Wish:
    """One text to be written after a prompt.

    Args:
        prompt: its tokens, at least one.
        most_tokens: of the answer; None for all that the model has room for.
        seed, choice: these alone decide the draws, whatever else is written at the time.
        stops: texts before which it ends.
        bias: token → what is added to its score.
        told: how many of the likeliest tokens are told for each token; None for no likelihoods.
        grammar: makes what says which tokens may follow, see `grammar`; None for all of them.
    """

    prompt: tuple[int, ...]
    most_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    choice: int = 0
    stops: tuple[str, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)
    told: int | None = None
    grammar: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Told:
    """A token in words, and the logarithm of its likelihood.

    Args:
        letters: the text in UTF-8, also of a part of a letter.
        likeliest: tokens that could have stood there, the likeliest first.
    """

    text: str
    letters: bytes
    logarithm: float
    likeliest: tuple[Told, ...] = ()


@dataclass(frozen=True)
class Piece:
    """What is new of a text.

    Args:
        choice: which of those that were asked for at once.
        tokens: whose text begins in this piece, where likelihoods are asked for.
        finish: why it ended, None while it goes on; then `count` is final.
        count: tokens of the whole answer so far, without one that ends it.
    """

    choice: int
    text: str
    tokens: tuple[Told, ...]
    count: int
    finish: Finish | None = None
