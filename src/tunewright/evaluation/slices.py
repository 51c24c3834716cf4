"""Scores of parts of the rows: where does the model do worse than elsewhere?

N rows, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.intervals import bootstrap
from tunewright.evaluation.scored import Floats

FEWEST_ROWS = 10  # of a slice: of fewer no interval says anything
QUARTERS = (0.25, 0.5, 0.75)


def by_length(texts: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Quarters of the rows by how many characters they have; equal lengths stay together."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    if not len(lengths):
        return {}
    edges = np.unique(np.quantile(lengths, QUARTERS).astype(np.int64))
    at = np.searchsorted(edges, lengths)
    bounds = [0, *edges.tolist(), int(lengths.max())]
    return {
        f"{bounds[part] + (part > 0):,} to {bounds[part + 1]:,} characters": at == part
        for part in range(len(edges) + 1)
        if (at == part).any()
    }


def slices(
    metric: str,
    answers: Floats,
    labels: NDArray[Any],
    parts: Mapping[str, NDArray[np.bool_]],
    *,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The deciding metric of each part that has rows enough.

    Args:
        answers: float (N, C). labels: see `metrics`. parts: name → bool (N).
    Returns:
        [{"slice", "rows", "score": {"value", "low", "high"}}], in the order given.
    """
    return [
        {
            "slice": name,
            "rows": int(rows.sum()),
            "score": bootstrap(
                [metric], answers[rows], labels[rows], resamples=resamples, seed=seed
            )[metric],
        }
        for name, rows in parts.items()
        if rows.sum() >= FEWEST_ROWS
    ]
