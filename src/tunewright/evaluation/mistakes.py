"""The rows that a model gets most confidently wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunewright.evaluation.metrics import Floats, Ints, Rows


def confident_mistakes(
    probabilities: Floats,
    labels: Ints,
    texts: Sequence[str],
    names: Sequence[str],
    *,
    places: Sequence[str] | None = None,
    limit: int = 20,
) -> list[dict[str, Any]]:
    """Wrong rows, the most confident first, as the report shows them.

    Args:
        probabilities: float (N, C). labels: int (N,). texts: N. names: C class names.
        places: N places such as "tickets.csv:17".
    Returns:
        [{"text", "label", "predicted", "confidence", "place"}], at most `limit`.
    """
    rows = Rows(probabilities, labels)
    wrong = np.flatnonzero(~rows.correct)
    order = wrong[np.argsort(-rows.confidence[wrong], kind="stable")][:limit]
    return [
        {
            "text": texts[row],
            "label": names[rows.label[row]],
            "predicted": names[rows.predicted[row]],
            "confidence": float(rows.confidence[row]),
            "place": places[row] if places is not None else None,
        }
        for row in order.tolist()
    ]
