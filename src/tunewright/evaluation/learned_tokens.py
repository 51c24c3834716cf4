"""Scores where a model foretells the tokens that each row should teach.

N rows, R samples of those rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.scored import Floats, Ints, Scored, often, refuse_unlike


class LearnedTokens(Scored):
    """What the metrics need to know about each row.

    Args:
        answers: float (N, 3): nats of a row's learned tokens together, how many they are, and how
            many of them had the highest score.
        targets: bool (N).
    Raises:
        DataError: no rows, shapes that do not fit, a non-finite number.
    """

    def __init__(self, answers: Floats, targets: NDArray[Any]) -> None:
        answers, targets = np.asarray(answers), np.asarray(targets)
        refuse_unlike(answers, targets, targets.ndim == 1 and answers.shape[1:] == (3,))
        self.nats, self.tokens, self.right = answers.astype(np.float64).T

    def __len__(self) -> int:
        return len(self.nats)

    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """See `Scored`. Rows count by their tokens, as in training."""
        counts = often(sample, len(self))
        return np.stack([METRICS[name](self, counts) for name in names])


def _loss(rows: LearnedTokens, counts: Floats) -> Floats:
    """Nats of a learned token, in the mean."""
    return np.asarray((counts @ rows.nats) / (counts @ rows.tokens))


def _token_accuracy(rows: LearnedTokens, counts: Floats) -> Floats:
    """Share of learned tokens that had the highest score."""
    return np.asarray((counts @ rows.right) / (counts @ rows.tokens))


def _perplexity(rows: LearnedTokens, counts: Floats) -> Floats:
    """Of how many tokens, equally likely, the model is as unsure."""
    return np.asarray(np.exp(np.minimum(_loss(rows, counts), 700.0)))


METRICS: dict[str, Callable[[LearnedTokens, Floats], Floats]] = {
    "loss": _loss,
    "token_accuracy": _token_accuracy,
    "perplexity": _perplexity,
}
