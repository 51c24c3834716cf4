"""Which recipes can be trained one after another with a model that is built once."""

from __future__ import annotations

from typing import Any

from tunewright.recipe.schema import Recipe

OF_STEPS: Any = {
    "name": True,
    "data": True,  # a session reads one and the same rows
    "tune": True,
    "evaluate": True,
    "test": True,
    "train": {
        *("strategy", "phases", "contrastive", "epochs", "learning_rate", "head_learning_rate"),
        *("layer_decay", "batch_size", "accumulate", "warmup", "schedule", "weight_decay", "clip"),
        *(
            "threads",
            "checkpointing",  # chosen once the model is open
            "not_finite",
            "label_smoothing",
            "sampling",
            "early_stopping",
            "evaluations_per_epoch",
        ),
    },
}
"""Keys that only steps read: what a model is built from is every other key."""


def built_from(recipe: Recipe) -> str:
    """All of a resolved recipe that the model, its head and its rows are made from."""
    layers = recipe.adapt.layers if recipe.adapt.has_adapters else None  # else it says what learns
    same = recipe.model_copy(update={"adapt": recipe.adapt.model_copy(update={"layers": layers})})
    return same.model_dump_json(exclude=OF_STEPS)
