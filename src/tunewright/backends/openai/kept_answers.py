"""Answers that were paid for, so that a run which goes on does not pay for them again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright.durable import append_line, read_lines

Answer = tuple[str, bool]


class KeptAnswers:
    """Request → answer, in a file that is appended to; without a file, nothing is kept.

    What was asked is not in the file, only its hash.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, Answer] = {}
        if path is not None and path.exists():
            for line in read_lines(path):
                self._known[str(line["asked"])] = str(line["answer"]), bool(line["ended"])

    def of(self, body: Mapping[str, Any]) -> Answer | None:
        """The answer to a request, None where it was not asked."""
        return self._known.get(_hash(body))

    def add(self, body: Mapping[str, Any], answer: Answer) -> None:
        """Keep an answer; on the disk when this returns."""
        if self._path is None:
            return
        asked, (text, ended) = _hash(body), answer
        line = json.dumps({"asked": asked, "answer": text, "ended": ended}, ensure_ascii=False)
        with self._lock:
            append_line(self._path, line)
            self._known[asked] = answer


def _hash(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
