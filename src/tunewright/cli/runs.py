"""`tunewright runs`"""

from __future__ import annotations


def runs_command(
    action: str = "list", run: str | None = None, *, rebuild: bool = False, json: bool = False
) -> int:
    """What there is.

    Parameters
    ----------
    action
        list, show or remove.
    run
        For show and remove: folder, name, id or last.
    rebuild
        Make the index anew from the run folders.
    json
        Print one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.inventory import runs

    found = runs(action, run, rebuild=rebuild)
    if action == "list" and not json and not rebuild:
        _show(found)
    else:
        say_json(found)
    return 0


def _show(found: list[dict[str, object]]) -> None:
    from rich.table import Table

    from tunewright.cli.tables import wide_console

    out = wide_console()
    if not found:
        out.print("no runs yet: tunewright run DATA.csv")
        return
    table = Table("run", "state", "stage", "metric", "validation", "test", box=None)
    for row in found:
        table.add_row(
            str(row["folder"]).rsplit("/", 1)[-1],
            str(row["state"]),
            str(row["stage"] or ""),
            str(row["metric"] or ""),
            _score(row["validation"]),
            _score(row["test"]),
        )
    out.print(table)


def _score(score: object) -> str:
    if not isinstance(score, dict):
        return ""
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"
