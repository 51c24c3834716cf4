"""Mix-up: a row and another, in shares that are drawn for each step.

Source:
    Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunewright.train.batches import draw_key


@dataclass(frozen=True)
class Mixture:
    """The partners of some rows, and how much of the rows themselves is left.

    rows: int (rows); share: 0.5 to 1.
    """

    rows: np.ndarray
    share: float


def mixture(rows: np.ndarray, num_rows: int, *, parameter: float, draw: int) -> Mixture:
    """A pure function of the step's draw; a row's partner does not depend on its batch.

    Args:
        rows: int (rows), numbers of views; a partner is in the same view.
        num_rows: rows, whatever their views.
        parameter: of the beta distribution, which prefers the ends where it is small.
    """
    share = float(np.random.default_rng(draw_key("share", draw)).beta(parameter, parameter))
    partners = [draw_key("partner", draw, int(row)) % num_rows for row in rows]
    return Mixture(rows - rows % num_rows + np.array(partners), max(share, 1 - share))
