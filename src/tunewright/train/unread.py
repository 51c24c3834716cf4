"""Losses that still lie on the device: reading them waits for its steps, so it is done rarely."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import SupportsFloat

import numpy as np

from tunewright.errors import FailedRunError
from tunewright.train.events import Events

Unread = list[tuple[int, np.ndarray, SupportsFloat, SupportsFloat]]  # step, rows, loss, norm


def read_losses(
    unread: Unread, *, name_rows: Callable[[np.ndarray], str], events: Events, skip: bool
) -> list[float]:
    """The losses of these steps, less those that are not finite, which are told.

    Args:
        skip: whether a step that is not finite is left out.
    Raises:
        FailedRunError: else, at the first of them.
    """
    losses = []
    for step, rows, loss, norm in unread:
        if math.isfinite(float(loss)) and math.isfinite(float(norm)):
            losses.append(float(loss))
            continue
        what = "gradient" if math.isfinite(float(loss)) else "loss"
        places = name_rows(rows)
        events.emit(
            "not_finite",
            step=step,
            what=what,
            rows=[int(row) for row in rows],
            places=places,
            skipped=skip,
        )
        if not skip:
            raise FailedRunError(
                f"the {what} is not a finite number at step {step}, on {places}",
                fix="look at these rows; or use a smaller train.learning_rate, train.precision "
                "fp32, or train.not_finite skip",
            )
    return losses
