"""The numbers in an event of a job, by the names that a run has for them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"Step (\d+)(?:/(\d+))?")
_TOLD = re.compile(r"(training|full validation|validation) loss=([-\d.eE+]+)")
_NAMES = {
    "train_loss": "loss",
    "valid_loss": "valid_loss",
    "full_valid_loss": "full_valid_loss",
    "train_mean_token_accuracy": "token_accuracy",
    "valid_mean_token_accuracy": "valid_token_accuracy",
    "full_valid_mean_token_accuracy": "full_valid_token_accuracy",
}
_IN_WORDS = {
    "training": "loss",
    "validation": "valid_loss",
    "full validation": "full_valid_loss",
}


def measured(event: Any) -> dict[str, Any] | None:
    """{"step", "steps", and what was measured}; None where an event tells no numbers.

    The event's data counts; where a service leaves it out, its words do.

    Args:
        event: has `message`, and maybe `data`.
    """
    data = event.data if isinstance(event.data, Mapping) else {}
    found = {
        ours: float(data[theirs])
        for theirs, ours in _NAMES.items()
        if isinstance(data.get(theirs), int | float) and math.isfinite(data[theirs])
    }
    told = _STEP.search(str(event.message or ""))
    step, steps = data.get("step"), data.get("total_steps")
    if told is not None:
        step = told[1] if step is None else step
        steps = told[2] if steps is None else steps
        words = {_IN_WORDS[kind]: value for kind, value in _TOLD.findall(event.message)}
        found = {name: _number(value) for name, value in words.items()} | found
    if step is None or not found:
        return None
    return {"step": int(step), "steps": int(steps) if steps else None, **found}


def _number(text: str) -> float:
    try:
        return float(text.rstrip("."))
    except ValueError:
        return math.nan
