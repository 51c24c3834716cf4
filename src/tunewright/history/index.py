"""All runs at a glance. The folders are the truth; SQLite only spares reading them again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tunewright.durable import disk_errors, fsync_folder
from tunewright.errors import RunError
from tunewright.history.folder import find_run, name_and_id, run_folders, runs_folder
from tunewright.history.lock import lock_run, refuse_workers
from tunewright.history.result import RESULT_FILE, read_result
from tunewright.history.state import STATE_FILE, as_seen_now, read_state_as_written

INDEX_FILE = "index.sqlite"
_SCHEMA = "CREATE TABLE IF NOT EXISTS runs (folder TEXT PRIMARY KEY, stamp TEXT, facts TEXT)"
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
Facts = dict[str, Any]


def list_runs() -> list[dict[str, Any]]:
    """One row per run, newest first; a run whose run.json is broken has the state "unreadable".

    Keys: id, name, folder, state, stage, task, model, metric, validation and test (of the
    deciding metric: value, low, high; or null), created, wall_s.
    """
    runs = run_folders()
    known = _load()
    facts: dict[str, tuple[str, Facts]] = {}
    for run in runs:
        stamp = _stamp(run)
        kept = known.get(run.name)
        facts[run.name] = kept if kept and kept[0] == stamp else (stamp, _facts(run))
    if facts != known:
        _save(facts)
    return [_row(run, facts[run.name][1]) for run in reversed(runs)]


def rebuild_index() -> int:
    """Throw the index away and read every folder; returns how many runs there are.

    What is left of runs whose removal was killed is deleted.
    """
    _index_path().unlink(missing_ok=True)
    for removed in runs_folder().glob(".removed-*"):
        shutil.rmtree(removed, ignore_errors=True)
    return len(list_runs())


def remove_run(ref: str | Path) -> Path:
    """Delete a run's folder for good, and return where it was.

    Raises:
        RunError: no such run, or a process holds it, or is at a search.
    """
    run = _find_even_broken(ref)
    doomed = run.with_name(f".removed-{run.name}")
    refuse_workers(run)
    with lock_run(run), disk_errors(run):
        run.rename(doomed)
        fsync_folder(run.parent)
    shutil.rmtree(doomed, ignore_errors=True)
    return run


def _find_even_broken(ref: str | Path) -> Path:
    path = Path(ref).expanduser().absolute()
    return path if path.is_dir() and path in run_folders() else find_run(ref)


def _facts(run: Path) -> Facts:
    """What the two files say; of a broken one, that it is broken."""
    try:
        state: Facts = read_state_as_written(run)
    except RunError as error:
        state = {"state": "unreadable", "error": error.what}
    return {"state": state, "result": _result(run)}


def _row(run: Path, facts: Facts) -> dict[str, Any]:
    state, result = as_seen_now(facts["state"]), facts["result"]
    name, run_id = name_and_id(run)
    metric = result.get("metric", "")
    return {
        "id": run_id,
        "name": name,
        "folder": run.name,
        "state": state["state"],
        "stage": state.get("stage"),
        "task": result.get("task") or state.get("task"),
        "model": (result.get("model") or {}).get("base") or state.get("model"),
        "metric": metric or None,
        "validation": (result.get("validation") or {}).get(metric),
        "test": (result.get("test") or {}).get(metric),
        "created": state.get("created") or _created(run),
        "wall_s": (result.get("train") or {}).get("wall_s"),
    }


def _created(run: Path) -> str:
    with suppress(ValueError):
        return datetime.strptime(run.name[:15], "%Y%m%d-%H%M%S").astimezone().isoformat()
    return ""


def _result(run: Path) -> Facts:
    """The run's result; nothing while it has none, or a broken one."""
    try:
        return read_result(run)
    except RunError:
        return {}


def _stamp(run: Path) -> str:
    return " ".join(_file_stamp(run / name) for name in (STATE_FILE, RESULT_FILE))


def _file_stamp(path: Path) -> str:
    """Changes whenever the file is replaced: a new inode, a new time or a new size."""
    try:
        facts = path.stat()
    except OSError:
        return "-"
    return f"{facts.st_ino}:{facts.st_mtime_ns}:{facts.st_size}"


def _index_path() -> Path:
    return runs_folder() / INDEX_FILE


def _load() -> dict[str, tuple[str, Facts]]:
    """What the index knows; nothing when it is missing or damaged."""
    path = _index_path()
    if not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(path, timeout=1)) as database:
            rows = database.execute("SELECT folder, stamp, facts FROM runs").fetchall()
        return {folder: (stamp, _whole(json.loads(facts))) for folder, stamp, facts in rows}
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        if getattr(error, "sqlite_errorcode", None) not in _BUSY:
            with suppress(OSError):
                path.unlink()
        return {}


def _whole(facts: Any) -> Facts:
    return {"state": dict(facts["state"]), "result": dict(facts["result"])}


def _save(facts: dict[str, tuple[str, Facts]]) -> None:
    """Keep what was read; a folder that cannot be written only costs the reading again."""
    with suppress(sqlite3.Error, OSError), closing(_opened()) as database, database:
        database.execute("DELETE FROM runs")
        database.executemany("INSERT INTO runs VALUES (?, ?, ?)", _as_rows(facts))


def _opened() -> sqlite3.Connection:
    database = sqlite3.connect(_index_path(), timeout=1)
    try:
        database.execute(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _as_rows(facts: dict[str, tuple[str, Facts]]) -> Iterable[tuple[str, str, str]]:
    for folder, (stamp, found) in facts.items():
        yield folder, stamp, json.dumps(found)
