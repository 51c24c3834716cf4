"""The numbers of an old job in the words of a recipe, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunewright.moving.jobs import Job

SUPERVISED, DPO = "supervised", "dpo"
PART_ROWS = 8  # computed at once, so that a large batch fits where a small one does
OWN_MULTIPLIER = {"gpt-4o": 1.8, "gpt-4.1": 1.8, "gpt-3.5": 2.0}
"""What services were seen to choose by themselves, by the beginning of a model's name."""
SAME = 0.05


@dataclass(frozen=True)
class Translated:
    """Values by recipe key, and why each is so."""

    values: Mapping[str, Any]
    reasons: Mapping[str, str]


def method_of(job: Job) -> str:
    """supervised, dpo or reinforcement."""
    return str((job.get("method") or {}).get("type") or SUPERVISED)


def numbers_of(job: Job) -> dict[str, float]:
    """The hyperparameters of a job that are numbers."""
    method = job.get("method") or {}
    inner = (method.get(method.get("type")) or {}).get("hyperparameters") or {}
    both = {**(job.get("hyperparameters") or {}), **inner}
    return {
        name: value
        for name, value in both.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def translated(job: Job, *, own_rate: float | None) -> Translated:
    """A job's settings as those of a run on an open model.

    Args:
        own_rate: the learning rate that a run would choose for that model, None where unknown.
    """
    numbers = numbers_of(job)
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def say(key: str, value: Any, why: str) -> None:
        values[key], reasons[key] = value, why

    if isinstance(job.get("seed"), int):
        say("seed", job["seed"] % 2**31, "the job's")
    if "n_epochs" in numbers:
        say("train.epochs", int(numbers["n_epochs"]), "n_epochs of the job: passes over all rows")
    if "batch_size" in numbers:
        size = int(numbers["batch_size"])
        say("train.batch_size", size, "batch_size of the job: rows of a step")
        parts = next(n for n in range(-(-size // PART_ROWS), size + 1) if size % n == 0)
        if parts > 1:
            say("train.accumulate", parts, f"so that {size // parts} rows are in memory at once")
    say("train.learning_rate", *_rate(job, numbers, own_rate))
    if method_of(job) == DPO and "beta" in numbers:
        say("train.beta", float(numbers["beta"]), "beta of the job: the same loss")
    return Translated(values, reasons)


def _rate(job: Job, numbers: Mapping[str, float], own_rate: float | None) -> tuple[Any, str]:
    """The rate, and why: a multiplier is of a rate that no service tells."""
    multiplier = numbers.get("learning_rate_multiplier")
    if multiplier is None:
        return "auto", "the job says none"
    usual = next(
        (
            value
            for start, value in OWN_MULTIPLIER.items()
            if str(job.get("model", "")).startswith((start, f"ft:{start}"))
        ),
        1.0,
    )
    factor = multiplier / usual
    told = f"learning_rate_multiplier {multiplier:g}, where the service's own is about {usual:g}"
    if abs(factor - 1.0) <= SAME:
        return "auto", f"{told}: what a run chooses by itself"
    if own_rate is None:
        return (
            "auto",
            f"{told}: take {factor:.2g} times what `tunewright run` chooses for this model",
        )
    return float(
        f"{own_rate * factor:.2g}"
    ), f"{told}: {factor:.2g} times the own rate {own_rate:g}"
