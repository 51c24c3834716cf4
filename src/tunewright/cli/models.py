"""`tunewright models`"""

from __future__ import annotations


def models_command(action: str = "list", name: str | None = None, *, json: bool = False) -> int:
    """The catalog of pre-trained models; pull fetches one into the cache.

    Parameters
    ----------
    action
        list, pull or show.
    name
        For pull and show: a name from the list, a folder or a hub id.
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.errors import RecipeError
    from tunewright.models.catalog import pull_model
    from tunewright.models.listing import list_models, show_model

    if action == "list":
        found = list_models()
        say_json(found) if json else _show(found)
        return 0
    if action not in ("pull", "show") or name is None:
        raise RecipeError(
            f"'models {action}' is not a command or names no model",
            fix="tunewright models [list | pull NAME | show NAME]",
        )
    if action == "pull":
        source = pull_model(name)
        say_json({"name": source.name, "path": str(source.path), "sha256": source.sha256})
    else:
        say_json(show_model(name))
    return 0


def _show(found: list[dict[str, object]]) -> None:
    from rich.table import Table

    from tunewright.cli.tables import wide_console

    table = Table("name", "weights", "licence", "where", "cached", "model", box=None)
    for row in found:
        weights = row["parameters"]
        table.add_row(
            str(row["name"]),
            f"{weights:,}" if isinstance(weights, int) else "",
            str(row["licence"] or ""),
            str(row["where"]),
            "yes" if row["cached"] else "no",
            str(row["base"]),
        )
    wide_console().print(table)
