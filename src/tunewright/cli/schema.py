"""`tunewright schema`"""

from __future__ import annotations


def schema_command() -> int:
    """Every recipe key, as a JSON schema (for editors: save it, and point your YAML at it)."""
    from tunewright.cli.main import say_json
    from tunewright.recipe.schema import Recipe

    say_json(Recipe.model_json_schema())
    return 0
