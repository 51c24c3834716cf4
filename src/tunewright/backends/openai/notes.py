"""What a run has begun and done at a service, on the disk before and after each request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.durable import write_json
from tunewright.errors import RunError


@dataclass(frozen=True)
class Notes:
    """Name → facts, in one file that is never half written."""

    path: Path

    def of(self, name: str) -> dict[str, Any] | None:
        """What is noted under a name, None for nothing."""
        found = self._all().get(name)
        return None if found is None else dict(found)

    def write(self, name: str, facts: dict[str, Any]) -> None:
        """Note facts in the place of those before; on the disk when this returns."""
        write_json(self.path, self._all() | {name: facts})

    def _all(self) -> dict[str, Any]:
        if not self.path.exists():
            return {}
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RunError(
                f"{self.path} is not what was written there: which job is this run's is unknown",
                fix="restore the file, or start a new run",
            )
        return found
