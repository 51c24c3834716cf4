"""`events.jsonl`: append-only, everything that happened, in order."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Listener = Callable[[dict[str, Any]], None]


class Events:
    """Writes events to a file and tells them to listeners.

    A torn last line, left by a kill, is closed before the first event of a resumed run.
    """

    def __init__(self, path: Path, listeners: tuple[Listener, ...] = ()) -> None:
        torn = path.exists() and path.stat().st_size > 0 and path.read_bytes()[-1:] != b"\n"
        self._file = path.open("a", encoding="utf-8")
        self._listeners = listeners
        if torn:
            self._file.write("\n")

    def emit(self, kind: str, **values: Any) -> None:
        """Append one event: its kind, the time (seconds since 1970), and its values."""
        event = {"event": kind, "time": round(time.time(), 3), **values}
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._file.flush()
        for listener in self._listeners:
            listener(event)

    def sync(self) -> None:
        """Return when everything emitted is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush, sync and close."""
        self.sync()
        self._file.close()
