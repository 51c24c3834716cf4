"""Every metric by name, for answers and labels of any task.

N rows, K outputs. What the labels are is told by their shape: int (N,) are classes, (N, K) of zeros
and ones are several labels, float (N,) are numbers, bool (N,) are rows of learned tokens, and bool
(N, 2) pairs of answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import DataError
from tunewright.evaluation import learned_tokens, numbers, one_label, preferences, several_labels
from tunewright.evaluation.scored import Floats, Scored
from tunewright.recipe.schema import Kind

HIGHER_IS_BETTER: dict[str, bool] = {
    **dict.fromkeys(("accuracy", "macro_f1", "mcc", "micro_f1", "exact_match"), True),
    **dict.fromkeys(("r2", "pearson", "spearman"), True),
    **dict.fromkeys(("log_loss", "calibration_error", "rmse", "mae"), False),
    **dict.fromkeys(("token_accuracy", "preference_accuracy", "reward_margin"), True),
    **dict.fromkeys(("loss", "perplexity"), False),
}
METRICS: dict[Kind, tuple[str, ...]] = {
    "one": tuple(one_label.METRICS),
    "several": tuple(several_labels.METRICS),
    "number": tuple(numbers.METRICS),
    "tokens": tuple(learned_tokens.METRICS),
    "preference": tuple(preferences.METRICS),
}
_ROWS: dict[Kind, type[Scored]] = {
    "one": one_label.OneLabel,
    "several": several_labels.SeveralLabels,
    "number": numbers.Numbers,
    "tokens": learned_tokens.LearnedTokens,
    "preference": preferences.Preferences,
}


def kind_of(labels: NDArray[Any]) -> Kind:
    """What labels of this shape and type are."""
    if labels.dtype.kind == "b":
        return "tokens" if labels.ndim == 1 else "preference"
    if labels.ndim == 2:
        return "several"
    return "number" if labels.dtype.kind == "f" else "one"


def scored(answers: Floats, labels: NDArray[Any]) -> Scored:
    """The rows, ready to be measured. Raises DataError where they do not fit."""
    rows: Any = _ROWS[kind_of(np.asarray(labels))]
    found: Scored = rows(answers, labels)
    return found


def refuse_unknown(names: tuple[str, ...], kind: Kind) -> None:
    """Raise DataError unless these are metrics of such labels."""
    for name in names:
        if name not in METRICS[kind]:
            raise DataError(
                f"there is no metric {name!r} for these labels",
                fix=f"use one of {', '.join(METRICS[kind])}",
            )


def score(name: str, answers: Floats, labels: NDArray[Any]) -> float:
    """One metric over all rows.

    Args:
        answers: float (N, K).
    Raises:
        DataError: no such metric, or answers that do not fit.
    """
    refuse_unknown((name,), kind_of(labels))
    return float(scored(answers, labels).measure([name])[0, 0])


def all_metrics(answers: Floats, labels: NDArray[Any]) -> dict[str, float]:
    """Every metric over all rows, by name."""
    names = METRICS[kind_of(labels)]
    values = scored(answers, labels).measure(names)[:, 0]
    return dict(zip(names, values.tolist(), strict=True))
