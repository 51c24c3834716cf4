"""The rows that a model gets most wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.data.chat.conversation import shown
from tunewright.evaluation.learned_tokens import LearnedTokens
from tunewright.evaluation.metrics import kind_of
from tunewright.evaluation.numbers import Numbers
from tunewright.evaluation.one_label import OneLabel
from tunewright.evaluation.preferences import Preferences
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.several_labels import SeveralLabels
from tunewright.recipe.schema import Kind, Reads

LIMIT = 20
Wrong = tuple[NDArray[np.int64], list[str], list[str], Floats]
"""Row numbers, the worst first; of those rows what is right, what was answered, how surely."""


def mistakes(
    answers: Floats,
    labels: NDArray[Any],
    texts: Sequence[str],
    names: Sequence[str],
    places: Sequence[str],
    reads: Reads = "text",
) -> list[dict[str, Any]]:
    """Wrong rows, the worst first: the most confident, or, of numbers, the farthest off.

    Args:
        answers: float (N, C). labels: see `metrics`. texts: N, or paths of pictures.
        names: C outputs. places: N places such as "tickets.csv:17". reads: what a row is.
    Returns:
        [{"text" or "image", "label", "predicted", "confidence", "place"}], at most 20; a number
        has no confidence.
    """
    find: dict[Kind, Callable[[Floats, NDArray[Any], Sequence[str]], Wrong]] = {
        "one": _one_label,
        "several": _several_labels,
        "number": _numbers,
        "tokens": _tokens,
        "preference": _pairs,
    }
    rows, right, answered, surely = find[kind_of(labels)](answers, labels, names)
    return [
        {
            ("image" if reads == "image" else "text"): _readable(texts[row], reads),
            "label": right[at],
            "predicted": answered[at],
            "confidence": None if np.isnan(surely[at]) else float(surely[at]),
            "place": places[row],
        }
        for at, row in enumerate(rows.tolist())
    ]


def _readable(text: str, reads: Reads) -> str:
    return shown(text) if reads in ("chat", "preference") else text


def _tokens(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Wrong:
    """The highest loss of a token, in the mean over a row."""
    rows = LearnedTokens(answers, labels)
    loss = rows.nats / np.maximum(rows.tokens, 1)
    worst = np.argsort(-loss, kind="stable")[:LIMIT]
    right = [f"{int(tokens)} tokens" for tokens in rows.tokens[worst]]
    answered = [f"at a loss of {each:.3f}" for each in loss[worst]]
    return worst, right, answered, np.full(len(worst), np.nan)


def _pairs(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Wrong:
    """Where the other answer is rewarded most above the preferred one."""
    margin = Preferences(answers, labels).margin
    worst = np.argsort(margin, kind="stable")[: min(LIMIT, int((margin <= 0).sum()))]
    answered = [f"the other one, by {-each:.3f}" for each in margin[worst]]
    return worst, ["chosen"] * len(worst), answered, np.full(len(worst), np.nan)


def _one_label(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Wrong:
    rows = OneLabel(answers, labels)
    wrong = np.flatnonzero(~rows.correct)
    worst = wrong[np.argsort(-rows.confidence[wrong], kind="stable")][:LIMIT]
    right, answered = (
        [names[k] for k in each[worst].tolist()] for each in (rows.label, rows.predicted)
    )
    return worst, right, answered, rows.confidence[worst]


def _several_labels(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Wrong:
    """By the confidence of the label that is most surely wrong."""
    rows = SeveralLabels(answers, labels)
    wrong = rows.predicted != rows.label
    surely = np.where(wrong, np.maximum(answers, 1 - answers), 0.0).max(axis=1)
    worst = np.argsort(-surely, kind="stable")[: min(LIMIT, int(wrong.any(axis=1).sum()))]

    def listed(row: NDArray[np.bool_]) -> str:
        return ", ".join(names[k] for k in np.flatnonzero(row).tolist()) or "none"

    right, answered = (
        [listed(row) for row in each[worst]] for each in (rows.label, rows.predicted)
    )
    return worst, right, answered, surely[worst]


def _numbers(answers: Floats, labels: NDArray[Any], names: Sequence[str]) -> Wrong:
    rows = Numbers(answers, labels)
    worst = np.argsort(-np.abs(rows.error), kind="stable")[:LIMIT]
    right, answered = (
        [f"{each:.4g}" for each in side[worst]] for side in (rows.target, rows.answer)
    )
    return worst, right, answered, np.full(len(worst), np.nan)
