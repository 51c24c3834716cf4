"""`tunewright worker`"""

from __future__ import annotations

from pathlib import Path

from tunewright.cli.serve import Several


def worker_command(
    *,
    folder: Path = Path("served"),
    database: str | None = None,
    models: Several = (),
    json: bool = False,
) -> int:
    """Train the jobs of a server that runs with --no-worker, one after the other.

    Several may share them, also on other machines that see the same folders and database.

    Parameters
    ----------
    folder
        As for serve.
    database
        As for serve.
    models
        As for serve.
    json
        Print, at the end, one JSON document.
    """
    from tunewright.cli.main import say_json
    from tunewright.cli.serve import settings_of
    from tunewright.serve.logs import write_logs
    from tunewright.serve.running import work

    write_logs()
    work(settings_of(folder=folder, database=database, models=models))
    if json:
        say_json({"ended": True})
    return 0
