"""Wishes that a task or a backend cannot grant, told before anything is done."""

from __future__ import annotations

from tunewright.errors import RecipeError
from tunewright.recipe.metric_names import is_written
from tunewright.recipe.schema import UNLABELLED, Kind, Recipe


def refuse_written(recipe: Recipe) -> None:
    """Raise RecipeError where a score of answers is to decide, and the backend writes none."""
    if recipe.backend != "torch" and is_written(recipe.evaluate.metric, recipe.task):
        raise RecipeError(
            f"evaluate.metric is {recipe.evaluate.metric}, for which backend {recipe.backend} would "
            "have to write answers in training",
            fix="write evaluate.metric: loss, or backend: torch",
        )


def refuse_new_tokens(recipe: Recipe, kind: Kind) -> None:
    """Raise RecipeError for new tokens where no language model is trained."""
    if not recipe.adapt.new_tokens:
        return
    if kind not in UNLABELLED:
        raise RecipeError(
            f"adapt.new_tokens has {recipe.adapt.new_tokens[0]}, but no language model is trained",
            fix="take adapt.new_tokens out",
        )


def refuse_quantization(recipe: Recipe, kind: Kind) -> None:
    """Raise RecipeError where weights in 4 bits are asked for, and cannot stay frozen as they are.

    Args:
        recipe: with its method.
    """
    if recipe.adapt.quantization == "none":
        return
    fix = "take adapt.quantization out"
    if kind not in UNLABELLED:
        raise RecipeError("adapt.quantization is given, but no language model is trained", fix=fix)
    if recipe.adapt.method not in ("lora", "rslora"):
        raise RecipeError(
            f"adapt.quantization is given, and adapt.method {recipe.adapt.method} does not leave the "
            "weights as they are",
            fix="write adapt.method: lora, or " + fix,
        )
