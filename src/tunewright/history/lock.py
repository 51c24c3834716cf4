"""One process at a time works on a run."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import filelock
import psutil

from tunewright.durable import disk_errors, write_json
from tunewright.errors import RunError
from tunewright.history.state import utc_now

WORKERS = "workers"
"""Of a search: a folder with a lock for each process that is at it."""


@contextlib.contextmanager
def lock_run(run: Path) -> Iterator[None]:
    """Hold a run for this process; the lock goes with the process, however it ends.

    Raises:
        RunError: another process holds it (named), or there is no such folder.
    """
    if not run.is_dir():
        raise RunError(
            f"there is no run folder {run}", fix="see what there is: tunewright runs list"
        )
    lock = filelock.FileLock(run / ".lock", timeout=0)
    # The holder is written beside the lock, because opening a lock file may empty it.
    holder = run / ".lock.json"
    try:
        with disk_errors(run / ".lock"):
            lock.acquire()
    except filelock.Timeout:
        raise RunError(
            f"run {run.name} is held by {_holder(holder)}",
            fix="wait until it is done, or stop that process first",
        ) from None
    try:
        write_json(holder, {"host": socket.gethostname(), "pid": os.getpid(), "since": utc_now()})
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def refuse_workers(run: Path) -> None:
    """Raise RunError while a process is at work on a search; else do nothing."""
    locks = [path for path in run.glob(f"{WORKERS}/*") if path.suffix != ".json"]
    if any(is_held(path) for path in locks):
        raise RunError(
            f"the search {run.name} is at work",
            fix="wait until it is done, or stop its workers first",
        )


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        here = holder["host"] == socket.gethostname()
        if not here or psutil.pid_exists(holder["pid"]):  # else a name that a kill left behind
            return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return "another process"


def is_held(path: Path) -> bool:
    """Whether a living process holds a lock; one that was killed does not."""
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return True
    lock.release()
    return False
