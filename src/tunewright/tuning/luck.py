"""How much of a winner's gain is the luck of choosing the highest of many noisy scores.

The trial is chosen on one half of validation and scored on the other, many times over
(cross-fitted): what it loses from one to the other is luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tunewright.evaluation.metrics import HIGHER_IS_BETTER, score
from tunewright.train.batches import draw_key

HALVINGS = 50
FEWEST_ROWS = 20


def selection_luck(
    answers: Mapping[int, np.ndarray],
    labels: np.ndarray,
    metric: str,
    *,
    default: int | None,
    seed: int,
) -> dict[str, Any] | None:
    """What choosing among trials gains, as chosen, and on rows that did not choose.

    Args:
        answers: trial → float (rows, outputs). labels: see `metrics`.
        default: the trial of the default recipe, that the gain is counted from.
    Returns:
        {"chosen", "held_back", "default", "luck", "gain", "halvings", "rows"}: mean scores over
        halves; None with fewer than two trials, or too few rows.
    """
    rows = len(labels)
    if len(answers) < 2 or rows < FEWEST_ROWS:
        return None
    random = np.random.default_rng(draw_key("luck", seed))
    turn = 1.0 if HIGHER_IS_BETTER[metric] else -1.0
    chosen, held_back, plain = [], [], []
    for _ in range(HALVINGS):
        order = random.permutation(rows)
        halves = order[: rows // 2], order[rows // 2 :]
        scores = {
            number: [_score(metric, said, labels, half) for half in halves]
            for number, said in answers.items()
        }
        for choosing, judging in ((0, 1), (1, 0)):
            best = max(scores, key=lambda number: turn * scores[number][choosing])
            chosen.append(scores[best][choosing])
            held_back.append(scores[best][judging])
            if default in scores:
                plain.append(scores[default][judging])
    seen, honest = float(np.mean(chosen)), float(np.mean(held_back))
    base = float(np.mean(plain)) if plain else None
    return {
        "chosen": seen,
        "held_back": honest,
        "default": base,
        "luck": turn * (seen - honest),
        "gain": None if base is None else turn * (honest - base),
        "halvings": HALVINGS,
        "rows": rows,
    }


def _score(metric: str, answers: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    return float(score(metric, answers[rows], labels[rows]))
