"""How the next token of a text is chosen, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Draw:
    """How the next token of a row is chosen.

    Args:
        temperature: 0 for the likeliest. top_p: share of the likeliest tokens that are drawn from.
        number: in [0, 1), decides which.
        added: token → what is added to its score.
        allowed: int32, a bit for each token that may follow; None for all.
        told: how many of the likeliest tokens are told; None for no likelihoods at all.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    number: float = 0.0
    added: Mapping[int, float] = field(default_factory=dict)
    allowed: np.ndarray | None = None
    told: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A token, and the logarithm of its likelihood, as the model sees it without a temperature.

    Args:
        likeliest: (token, logarithm of its likelihood), the likeliest first.
    """

    token: int
    logarithm: float | None = None
    likeliest: tuple[tuple[int, float], ...] = ()
