"""Rows to read beside the numbers: the best, the worst, and some that chance picked.

N rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tunewright.errors import DataError
from tunewright.evaluation.generated import Generated
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.written import HIGHER_IS_BETTER

EACH = 3
MOST_CHARACTERS = 2_000  # shown of a text
Why = Literal["best", "worst", "drawn"]


def samples(
    name: str,
    after: Generated,
    prompts: Sequence[str],
    before: Generated | None = None,
    *,
    each: int = EACH,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The rows with the best and the worst score, and drawn ones; no row twice.

    Args:
        name: the metric, see `written`.
        after: what the fine-tuned model wrote, N rows.
        prompts: N, what was asked.
        before: what the base model wrote for the same rows.
        each: rows of each sort, at most.
        seed: of the drawn rows.
    Returns:
        [{"why": "best", "worst" or "drawn", "place", "prompt", "reference", "before", "after",
        "score_before", "score"}]; a score is None where the row does not count, "before" and its
        score are None without a base model. Long texts are cut in the middle.
    Raises:
        DataError: not as many prompts, or answers of the base model, as rows.
    """
    if len(prompts) != len(after) or (before is not None and len(before) != len(after)):
        raise DataError(
            f"{len(after)} answers, {len(prompts)} prompts"
            + (f" and {len(before)} answers of the base model" if before else "")
            + " do not fit",
            fix="pass all of the same rows",
        )
    scores = after.each(name)
    earlier = np.full(len(after), np.nan) if before is None else before.each(name)
    sign = 1.0 if HIGHER_IS_BETTER.get(name, True) else -1.0
    found = []
    for why, row in pick(sign * scores, each=each, seed=seed):
        written = after.rows[row]
        base = None if before is None else before.rows[row]
        found.append(
            {
                "why": why,
                "place": written.place,
                "prompt": shortened(prompts[row]),
                "reference": _shown(written.reference, written.reference_calls),
                "before": None if base is None else _shown(base.answer, base.answer_calls),
                "after": _shown(written.answer, written.answer_calls),
                "score_before": _score(earlier[row]),
                "score": _score(scores[row]),
            }
        )
    return found


def pick(scores: Floats, *, each: int = EACH, seed: int = 0) -> list[tuple[Why, int]]:
    """Why each row is shown, and its number.

    A row is among the best only if another is worse, and among the worst only if another is
    better; of equals the first is taken. All rows can be drawn, also those without a score.

    Args:
        scores: (N,), higher is better; NaN for none.

    >>> pick(np.array([0.5, 0.9, 0.1, np.nan]), each=1)
    [('best', 1), ('worst', 2), ('drawn', 0)]
    """
    order = np.argsort(-scores, kind="stable")[: int(np.isfinite(scores).sum())]
    upwards = np.argsort(scores, kind="stable")[: len(order)]
    best = [row for row in order.tolist() if scores[row] > scores[upwards[0]]][:each]
    worst = [row for row in upwards.tolist() if scores[row] < scores[order[0]] and row not in best][
        :each
    ]
    drawn = np.random.default_rng(seed).permutation(len(scores)).tolist()
    rest = [row for row in drawn if row not in {*best, *worst}][:each]
    sorts: tuple[tuple[Why, list[int]], ...] = (("best", best), ("worst", worst), ("drawn", rest))
    return [(why, row) for why, rows in sorts for row in rows]


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    """A long text without its middle, and how much that was.

    >>> shortened("a" * 10 + "b" * 90 + "c" * 10, most=20)
    'aaaaaaaaaa… [90 characters] …cccccccccc'
    """
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}… [{len(text) - 2 * half:,} characters] …{text[len(text) - half :]}"


def _shown(text: str, calls: Sequence[Mapping[str, Any]] | None) -> str:
    """The text, and each tool call that is not part of it as a line of JSON."""
    lines = [json.dumps(call, ensure_ascii=False, default=str) for call in calls or ()]
    return shortened("\n".join([text, *lines] if text else lines))


def _score(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
