"""The body that asks for a job, and the numbers that the job then has."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tunewright.backends.openai.presets import known
from tunewright.hosting.asked import settings_of
from tunewright.recipe.schema import Recipe


def request_of(recipe: Recipe, train: str, validation: str) -> dict[str, Any]:
    """The body that creates the job, but for its tag.

    Args:
        recipe: resolved. train, validation: ids of files.
    """
    own = settings_of(recipe)
    service, kind = recipe.service, "dpo" if recipe.task == "preference" else "supervised"
    asked = {
        "n_epochs": recipe.train.epochs,
        "batch_size": recipe.train.batch_size,
        "learning_rate_multiplier": service.learning_rate_multiplier,
    }
    numbers = {key: value for key, value in asked.items() if value != "auto"}
    if kind == "dpo":
        numbers["beta"] = recipe.train.beta
    method: dict[str, Any] = {"method": {"type": kind, kind: {"hyperparameters": numbers}}}
    if kind == "supervised" and not known(service).with_method:
        method = {"hyperparameters": numbers}
    return {
        "model": recipe.model,
        "training_file": train,
        "validation_file": validation,
        "seed": recipe.seed,
        **({"suffix": service.suffix} if service.suffix else {}),
        **({"extra_body": {"tunewright": {"settings": own}}} if own else {}),
        **method,
    }


def digest(request: dict[str, Any]) -> str:
    """A hash that two bodies share only where they ask for the same."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def chosen(job: Any) -> dict[str, float]:
    """The numbers that a job trains with, as far as the service tells them."""
    method = getattr(job, "method", None)
    kind = getattr(method, "type", None)
    inner = getattr(getattr(method, kind, None) if kind else None, "hyperparameters", None)
    found: dict[str, float] = {}
    for numbers in (job.hyperparameters, inner):
        for name in ("n_epochs", "batch_size", "learning_rate_multiplier", "beta"):
            value = getattr(numbers, name, None)
            if isinstance(value, int | float):
                found[name] = value
    return found


def in_words(numbers: dict[str, float], job: Any) -> str:
    """What the service took, for people."""
    words = [f"{name.replace('_', ' ')} {value:g}" for name, value in numbers.items()]
    if job.trained_tokens:
        words.append(f"{job.trained_tokens:,} tokens trained")
    return f"as the service tells it, {', '.join(words) or 'which is nothing'}"
