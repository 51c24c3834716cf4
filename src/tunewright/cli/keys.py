"""`tunewright keys`"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def keys_command(
    action: str = "list",
    name: str | None = None,
    *,
    folder: Path = Path("served"),
    database: str | None = None,
    json: bool = False,
) -> int:
    """API keys of `tunewright serve`; a new one is shown once, and kept only as its hash.

    Parameters
    ----------
    action
        create, list or revoke.
    name
        For create: what the key is for. For revoke: its name or id.
    folder
        As for serve.
    database
        As for serve.
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.cli.serve import settings_of
    from tunewright.errors import RunError
    from tunewright.serve.store import open_store

    settings = settings_of(folder=folder, database=database)
    if action != "create" and settings.database is None and not folder.is_dir():
        raise RunError(
            f"there is no folder {folder}, and so no key",
            fix="name the server's with --folder, or make a key: tunewright keys create NAME",
        )
    store = open_store(settings)
    try:
        found = _asked(store, action, name)
    finally:
        store.close()
    if json or action != "list":
        say_json(found)
    else:
        _show(found)
    return 0


def _asked(store: Any, action: str, name: str | None) -> Any:
    from tunewright.errors import RecipeError
    from tunewright.serve.keys import create_key, list_keys, revoke_key

    if action == "list" and name is None:
        return list_keys(store)
    if action == "create" and name:
        return create_key(store, name)
    if action == "revoke" and name:
        return revoke_key(store, name)
    raise RecipeError(
        f"'keys {' '.join(filter(None, (action, name)))}' is not a command or names no key",
        fix="tunewright keys [list | create NAME | revoke NAME]",
    )


def _show(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from tunewright.cli.tables import wide_console

    table = Table("id", "name", "ends with", "holds", box=None)
    for row in found:
        holds = "yes" if row["revoked_at"] is None else "no"
        table.add_row(row["id"], row["name"], row["hint"], holds)
    wide_console().print(table)
