"""From what a user typed to a recipe: a recipe file, a data file, or keys."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunewright.errors import RecipeError
from tunewright.recipe.load import RECIPE_SUFFIXES, build_recipe, load_recipe
from tunewright.recipe.schema import Recipe
from tunewright.recipe.tune import Tune


def read_request(
    source: str | Path | None, keys: Mapping[str, Any], settings: Sequence[str]
) -> Recipe:
    """The recipe that a request means, with data paths that hold in any folder.

    Args:
        source: a recipe (.yaml, .yml, or .json with recipe keys) or data.
        keys: recipe keys as plain values, laid over the source.
        settings: `a.b=c`, laid over everything.
    Raises:
        RecipeError: neither is given, or they do not make a recipe.
    """
    content = dict(keys)
    if source is not None and is_recipe(Path(source)):
        if content:
            settings = [*(f"{key}={_as_json(value)}" for key, value in content.items()), *settings]
        recipe = load_recipe(source, settings)
    else:
        if source is not None:
            given = content.get("data")
            if given is not None and not isinstance(given, dict):
                raise RecipeError("data is given twice", fix="give one data file or folder")
            content["data"] = {"train": str(source), **(given or {})}
        recipe = build_recipe(content, settings)
    return _with_whole_paths(recipe)


def refuse_search(recipe: Recipe) -> None:
    """Raise RecipeError where a recipe asks for a search, and one run is begun."""
    if recipe.tune != Tune():
        raise RecipeError(
            "the recipe has a section tune, which asks for a search",
            fix="tunewright tune RECIPE; its best.yaml is a recipe to run",
        )


def is_recipe(path: Path) -> bool:
    """Whether a file is a recipe rather than data."""
    if path.suffix.lower() in RECIPE_SUFFIXES:
        return True
    if path.suffix.lower() != ".json" or not path.is_file() or path.stat().st_size > 1 << 20:
        return False
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, OSError, RecursionError):
        return False
    return (
        isinstance(content, dict)
        and bool({"model", "train", "task"} & set(content))
        and (not all(isinstance(value, list) for value in content.values()))
    )


def _with_whole_paths(recipe: Recipe) -> Recipe:
    whole = {
        part: str(Path(path).expanduser().resolve())
        for part in ("train", "validation", "test")
        if (path := getattr(recipe.data, part)) is not None and Path(path).expanduser().exists()
    }
    model = Path(recipe.model).expanduser()
    update: dict[str, Any] = {"data": recipe.data.model_copy(update=whole)}
    if "/" in recipe.model.replace(os.sep, "/") and model.is_dir():
        update["model"] = str(model.resolve())
    return recipe.model_copy(update=update)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
