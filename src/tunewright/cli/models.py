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
    from tunewright.inventory import models

    found = models(action, name)
    if action == "list" and not json:
        _show(found)
    else:
        say_json(found)
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
