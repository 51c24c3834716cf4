"""Run folders: where they are, how one is made, and how one is found by a short name."""

from __future__ import annotations

import difflib
import json
import os
import re
import secrets
import shutil
from datetime import datetime
from pathlib import Path

from tunewright.durable import disk_errors, fsync_folder, make_folder, write_json, write_text
from tunewright.errors import RunError
from tunewright.history.state import STATE_FILE, merged, utc_now

ASKED_FILE = "asked.yaml"
_NAME = re.compile(r"^(?P<when>\d{8}-\d{6})-(?P<name>.+)-(?P<id>[0-9a-f]{6})$")
_LIST_FIX = "see what there is: tunewright runs list"


def runs_folder() -> Path:
    """Where runs live: TUNEWRIGHT_RUNS, or `runs` in the working directory; a whole path.

    The folder may not exist.
    """
    return Path(os.environ.get("TUNEWRIGHT_RUNS") or "runs").expanduser().absolute()


def create_run(
    name: str, asked: str, *, folder: Path | None = None, kind: str | None = None
) -> Path:
    """Make `<when>-<name>-<id>` in one step, with its first run.json and all that resuming needs.

    The state is "running", held by this process.

    Args:
        asked: the recipe as it was asked for, in YAML.
        folder: where it is to be, within another, made by one process at a time; None for a name
            of its own among all runs.
        kind: what it is, if it is no run.
    """
    run_id, plain = secrets.token_hex(3), _plain(name)
    when = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    if folder is None:
        folder = make_folder(runs_folder()) / f"{when}-{plain}-{run_id}"
    make_folder(folder.parent)
    staged = folder.with_name(f".new-{folder.name}")
    first = {"id": run_id, "name": plain, "state": "running", "stage": None, "created": utc_now()}
    first |= {} if kind is None else {"kind": kind}
    shutil.rmtree(staged, ignore_errors=True)  # of a process that was killed here
    with disk_errors(folder):
        try:
            staged.mkdir()
            write_text(staged / ASKED_FILE, asked)
            write_json(staged / STATE_FILE, merged(first, {"state": "running"}))
            staged.rename(folder)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        fsync_folder(folder.parent)
    return folder


def find_run(ref: str | Path) -> Path:
    """The run that a path, a full name, an id, an unambiguous beginning or end, or "last" means.

    Raises:
        RunError: none fits (near ones are named), or several do.
    """
    if isinstance(ref, Path) or os.sep in ref or (Path(ref) / STATE_FILE).is_file():
        return _run_at(Path(ref).expanduser().absolute())
    runs = run_folders()
    if not runs:
        raise RunError(
            f"there are no runs in {runs_folder()}", fix="start one: tunewright run DATA"
        )
    if ref == "last":
        return runs[-1]
    fitting = [run for run in runs if ref and _fits(run.name, ref)]
    exact = [run for run in fitting if ref in (run.name, name_and_id(run)[1])]
    found = exact or fitting
    if len(found) > 1:
        names = ", ".join(run.name for run in found[-5:])
        raise RunError(
            f"{len(found)} runs fit {ref!r}: {names}", fix="write more of the name, or the id"
        )
    if not found:
        raise RunError(f"no run fits {ref!r}; {_near(ref, runs)}", fix=_LIST_FIX)
    return found[0]


def run_folders() -> list[Path]:
    """Every run folder, oldest first. Folders without the name of a run are passed over."""
    root = runs_folder()
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if _NAME.match(path.name) and path.is_dir()]
    return sorted(found, key=_age)


def name_and_id(run: Path) -> tuple[str, str]:
    """The name and the id within a run folder's name.

    >>> name_and_id(Path("runs/20260102-030405-tickets-0a1b2c"))
    ('tickets', '0a1b2c')
    """
    match = _NAME.match(run.name)
    return (match["name"], match["id"]) if match else (run.name, "")


def _run_at(path: Path) -> Path:
    if path.name == STATE_FILE:
        path = path.parent
    if not path.is_dir():
        raise RunError(f"there is no run folder {path}", fix=_LIST_FIX)
    if not (path / STATE_FILE).is_file():
        raise RunError(f"{path} is not a run: it has no {STATE_FILE}", fix=_LIST_FIX)
    return path


def _fits(folder_name: str, ref: str) -> bool:
    name, run_id = name_and_id(Path(folder_name))
    return folder_name.startswith(ref) or folder_name.endswith(ref) or ref in (name, run_id)


def _near(ref: str, runs: list[Path]) -> str:
    by_key = {key: run.name for run in runs for key in (run.name, *name_and_id(run))}
    keys = difflib.get_close_matches(ref, by_key, n=3, cutoff=0.5)
    names = dict.fromkeys(by_key[key] for key in keys)
    if names:
        return "near: " + ", ".join(names)
    return "the latest are " + ", ".join(run.name for run in runs[-3:])


def _age(run: Path) -> tuple[str, str]:
    """Runs of the same second are told apart by the moment in run.json."""
    try:
        created = str(json.loads((run / STATE_FILE).read_text(encoding="utf-8"))["created"])
    except (OSError, ValueError, KeyError, TypeError):
        created = ""
    return run.name[:15], created


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "run"
