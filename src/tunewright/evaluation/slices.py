"""Scores of parts of the rows: where does the model do worse than elsewhere?

N rows, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from tunewright.evaluation.grouping import Groups
from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.scored import Floats

FEWEST_ROWS = 20  # of a slice: of fewer no interval says anything


def slices(
    metric: str,
    answers: Floats,
    labels: NDArray[Any],
    kinds: Mapping[str, Groups],
    *,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The deciding metric of each group of rows; of fewer than 20 rows their number alone.

    Args:
        answers: float (N, C). labels: see `metrics`.
        kinds: what groups are by, such as length → name → bool (N).
    Returns:
        [{"by", "slice", "rows", "score": {"value", "low", "high"} or None}], in the order given.
    """
    return [
        {
            "by": kind,
            "slice": name,
            "rows": int(rows.sum()),
            "score": bootstrap(
                [metric], answers[rows], labels[rows], resamples=resamples, seed=seed
            )[metric]
            if rows.sum() >= FEWEST_ROWS
            else None,
        }
        for kind, groups in kinds.items()
        for name, rows in groups.items()
    ]
