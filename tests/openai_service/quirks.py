"""What a service does besides, when the next requests of a kind come."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Quirk:
    """An answer in the place of the real one, or after it was done.

    Args:
        of: regular expression for "METHOD path". times: so many requests have it; then it is over.
        status: of the answer. error: its error object. headers: beside.
        body: instead of an error. done: do what was asked, and then answer so.
        drop: close the connection without an answer.
    """

    of: str
    times: int = 1
    status: int = 500
    error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    done: bool = False
    drop: bool = False

    def fits(self, request: str) -> bool:
        """Whether it is of this request; each time counts."""
        if self.times < 1 or not re.fullmatch(self.of, request):
            return False
        self.times -= 1
        return True

    def content(self) -> bytes:
        """The answer's body."""
        if self.body is not None:
            return json.dumps(self.body).encode()
        said = {"message": "injected", "type": "server_error", "param": None, "code": None}
        return json.dumps({"error": said | (self.error or {})}).encode()
