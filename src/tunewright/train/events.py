"""`events.jsonl`: append-only, everything that happened, in order."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright.durable import disk_errors

Listener = Callable[[dict[str, Any]], None]


class Events:
    """Writes events to a file and tells them to listeners.

    A torn last line, left by a kill, was never written: it is cut off when the file is opened.

    Raises:
        FailedRunError: the disk refused; the file holds the events before.
    """

    def __init__(self, path: Path, listeners: tuple[Listener, ...] = ()) -> None:
        self._path = path
        self._listeners = listeners
        with disk_errors(path):
            whole = path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0
            self._file = path.open("ab", buffering=0)
            self._file.truncate(whole)

    def emit(self, kind: str, **values: Any) -> None:
        """Append one event: its kind, the time (seconds since 1970), and its values."""
        event = {"event": kind, "time": round(time.time(), 3), **values}
        line = json.dumps(event, ensure_ascii=False).encode("utf-8") + b"\n"
        with disk_errors(self._path):
            before = os.fstat(self._file.fileno()).st_size
            try:
                while line:  # a full disk may take a part first
                    line = line[self._file.write(line) :]
            except OSError:
                self._file.truncate(before)
                raise
        for listener in self._listeners:
            listener(event)

    def sync(self) -> None:
        """Return when everything emitted is on the disk."""
        with disk_errors(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            self._file.close()
