"""run.json: what a run is doing, told truthfully even when its process has died."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tunewright.durable import write_json
from tunewright.errors import RunError

STATES = ("running", "done", "failed", "interrupted")
STATE_FILE = "run.json"
_CLOCK_SLACK_S = 5.0
_LIST_FIX = "see what there is: tunewright runs list"
_BROKEN_FIX = "restore the file, or remove the run: tunewright runs remove RUN"


def read_state(run: Path) -> dict[str, Any]:
    """What run.json says, except that a run whose process is gone reads "interrupted".

    Raises:
        RunError: there is no run.json, or it does not describe a run.
    """
    return as_seen_now(read_state_as_written(run))


def write_state(run: Path, **changes: Any) -> dict[str, Any]:
    """Change some keys of run.json and keep the rest; returns the whole.

    `state="running"` also records this process as the one that runs it, and clears `error`.
    """
    state = merged(read_state_as_written(run), changes)
    write_json(run / STATE_FILE, state)
    return state


def read_state_as_written(run: Path) -> dict[str, Any]:
    """run.json to the letter, a dead process or not."""
    path = run / STATE_FILE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"{run} is not a run: it has no {STATE_FILE}", fix=_LIST_FIX) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}", fix=_BROKEN_FIX) from None
    if not isinstance(state, dict) or state.get("state") not in STATES:
        raise RunError(f"{path} does not describe a run", fix=_BROKEN_FIX)
    return state


def as_seen_now(state: dict[str, Any]) -> dict[str, Any]:
    """The state, with "running" turned to "interrupted" when its process on this host is gone."""
    if state.get("state") != "running" or _is_alive(state):
        return state
    return {**state, "state": "interrupted"}


def merged(state: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The state after the changes; nothing is written."""
    if changes.get("state", "done") not in STATES:
        raise ValueError(f"unknown state {changes['state']!r}; there are {', '.join(STATES)}")
    here: dict[str, Any] = {}
    if changes.get("state") == "running":
        here = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": list(sys.argv),
            "error": None,
        }
    return {**state, **here, **changes, "updated": utc_now()}


def utc_now() -> str:
    """This moment in UTC, as ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _is_alive(state: dict[str, Any]) -> bool:
    """Whether the process may still be there; one on another host cannot be asked."""
    if state.get("host") != socket.gethostname():
        return True
    try:
        started = psutil.Process(int(state["pid"])).create_time()
        written = datetime.fromisoformat(state["updated"]).timestamp()
    except psutil.AccessDenied:
        return True
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False
    # A process that started after the state was written has only inherited the number.
    return bool(started <= written + _CLOCK_SLACK_S)
