"""The answers of a batch while it is at work: two files on the disk, which survive a kill."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunewright.durable import append_line, file_sha256, make_folder, read_lines, replacing
from tunewright.serve.door.inside import Answered
from tunewright.serve.files import stored_files
from tunewright.serve.identifiers import new_id
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Row

PURPOSE = "batch_output"


class BatchAnswers:
    """What is answered so far; each request has one line, in one of the two files.

    Args:
        folder: with the files, or where they are to be.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder
        self._good, self._bad = folder / "output.jsonl", folder / "errors.jsonl"
        self._lock = threading.Lock()
        good, bad = ({line["custom_id"] for line in _lines(path)} for path in self._both)
        self._answered = good | bad
        self._counts = {"completed": len(good), "failed": len(bad)}

    @property
    def _both(self) -> tuple[Path, Path]:
        return self._good, self._bad

    def has(self, custom_id: str) -> bool:
        """Whether this request has its line."""
        return custom_id in self._answered

    def counts(self, total: int) -> dict[str, int]:
        """As `request_counts` shows them."""
        with self._lock:
            return {"total": total, **self._counts}

    def add(
        self,
        custom_id: str,
        answered: Answered | None,
        *,
        error: Mapping[str, str] | None = None,
    ) -> None:
        """Write the line of a request, unless it has one.

        Args:
            error: `{code, message}`, of a request that was not asked.
        """
        good = answered is not None and answered.is_good
        line = {
            "id": new_id("batch_request"),
            "custom_id": custom_id,
            "response": None if answered is None else _response(answered),
            "error": error,
        }
        with self._lock:
            if custom_id in self._answered:
                return
            append_line(self._good if good else self._bad, json.dumps(line, ensure_ascii=False))
            self._answered.add(custom_id)
            self._counts["completed" if good else "failed"] += 1

    def usage(self) -> dict[str, Any]:
        """Tokens that all answers took together."""
        read, cached, written, thought = 0, 0, 0, 0
        for line in _lines(self._good):
            used = line["response"]["body"].get("usage") or {}
            read += used.get("prompt_tokens", used.get("input_tokens", 0))
            written += used.get("completion_tokens", used.get("output_tokens", 0))
            cached += _detail(used, ("prompt_tokens_details", "input_tokens_details"), "cached")
            details = ("completion_tokens_details", "output_tokens_details")
            thought += _detail(used, details, "reasoning")
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": read + written,
        }

    def as_files(
        self, settings: ServeSettings, batch_id: str, life_s: int | None
    ) -> dict[str, Row]:
        """`output_file_id` and `error_file_id` to files whose bytes are there, and whose rows the
        caller adds to the store; one without lines is none.
        """
        names = {"output_file_id": self._good, "error_file_id": self._bad}
        return {
            field: _copied(settings, path, f"{batch_id}_{path.name}", life_s)
            for field, path in names.items()
            if path.exists()
        }

    def discard(self) -> None:
        """Delete the folder: everything is where it belongs."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    yield from read_lines(path) if path.exists() else ()


def _response(answered: Answered) -> dict[str, Any]:
    return {
        "status_code": answered.status,
        "request_id": answered.request_id,
        "body": answered.body,
    }


def _detail(used: Mapping[str, Any], names: tuple[str, str], kind: str) -> int:
    details: Mapping[str, Any] = next((used[name] for name in names if used.get(name)), {})
    return int(details.get(f"{kind}_tokens") or 0)


def _copied(settings: ServeSettings, source: Path, filename: str, life_s: int | None) -> Row:
    now = int(time.time())
    row = {
        "id": new_id("file"),
        "created_at": now,
        "bytes": source.stat().st_size,
        "filename": filename,
        "purpose": PURPOSE,
        "expires_at": None if life_s is None else now + life_s,
        "status": "processed",
        "status_details": None,
        "sha256": file_sha256(source),
    }
    with source.open("rb") as read, replacing(stored_files.path_of(settings, row)) as written:
        shutil.copyfileobj(read, written)
    return row
