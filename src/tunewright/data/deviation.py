"""How far the label mix of a part is from that of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def deviation(counts: Mapping[str, Sequence[int]], labels: Sequence[str]) -> dict[str, Any] | None:
    """The label whose share in a part differs most from its share in all; None without classes.

    Args:
        counts: part → rows of each label.

    >>> deviation({"train": [9, 1], "test": [1, 1]}, ["a", "b"])
    {'label': 'a', 'part': 'test', 'share': 0.5, 'of_all': 0.8333}
    """
    if len(labels) < 2:
        return None
    found = np.array(list(counts.values()), np.float64)
    shares = found / np.maximum(found.sum(axis=1, keepdims=True), 1)
    of_all = found.sum(axis=0) / found.sum()
    part, label = np.unravel_index(np.argmax(np.abs(shares - of_all)), shares.shape)
    return {
        "label": labels[int(label)],
        "part": list(counts)[int(part)],
        "share": round(float(shares[part, label]), 4),
        "of_all": round(float(of_all[label]), 4),
    }
