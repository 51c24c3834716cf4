"""The resolved recipe as YAML, each chosen value with its reason as a comment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tunewright.recipe.dialect import Dumper
from tunewright.recipe.schema import Recipe
from tunewright.recipe.service import Service
from tunewright.recipe.tune import Tune


def as_yaml(recipe: Recipe, reasons: Mapping[str, str]) -> str:
    """A complete recipe: loading it again gives the same run.

    Args:
        reasons: dotted key → why this value was chosen.
    """
    idle = {
        name
        for name, plain in (("tune", Tune()), ("service", Service()))
        if getattr(recipe, name) == plain
    }
    content = recipe.model_dump(mode="json", exclude=idle)
    return "".join(f"{line}\n" for line in _lines(content, reasons))


def from_resolved(content: Mapping[str, Any]) -> Recipe:
    """The inverse of `model_dump` for a resolved recipe."""
    return Recipe.model_validate(dict(content))


def _lines(
    content: Mapping[str, Any], reasons: Mapping[str, str], above: str = "", depth: int = 0
) -> Iterator[str]:
    indent = "  " * depth
    for key, value in content.items():
        place = f"{above}.{key}" if above else key
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, reasons, place, depth + 1)
            continue
        shown = yaml.dump(
            value, Dumper=Dumper, default_flow_style=True, allow_unicode=True, width=1_000_000
        ).removesuffix("\n...\n")
        why = f"  # {reasons[place]}" if place in reasons else ""
        yield f"{indent}{key}: {shown.strip()}{why}"
