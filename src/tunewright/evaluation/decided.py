"""Shares with the thresholds from which labels are answered, where these are not one half.

N rows, K outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.evaluation.scored import Floats


class Decided(np.ndarray[Any, Any]):
    """Shares (N, K) that know from where on each label is answered; some of the rows know it too.

    Whatever scores answers asks `limits_of` them; `np.asarray` gives the shares alone.
    """

    limits: Floats | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.limits = getattr(source, "limits", None)


def decided(shares: Floats, limits: Floats | None) -> Floats:
    """The shares, with these thresholds (K,); as they are where there are none."""
    if limits is None:
        return shares
    found = np.asarray(shares).view(Decided)
    found.limits = limits
    return found


def limits_of(answers: Any) -> Floats | None:
    """float (K,): from which share on each label is answered; None for one half, or the largest."""
    found: Floats | None = getattr(answers, "limits", None)
    return found


def chosen(answers: Floats) -> NDArray[np.int64]:
    """int (N,): the class of each row; the likeliest, or of two by the threshold of the second."""
    limits, shares = limits_of(answers), np.asarray(answers)
    if limits is None:
        return np.asarray(shares.argmax(axis=1), np.int64)
    return np.asarray(shares[:, 1] >= limits[1], np.int64)
