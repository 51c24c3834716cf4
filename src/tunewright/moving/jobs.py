"""Old jobs and their files, from a folder of exports or from the service itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tunewright.errors import DataError, RunError, TunewrightError

JOB, FILE = "fine_tuning.job", "file"
MOST_BYTES = 64 * 1024 * 1024  # of a file that may hold a list of jobs
Job = Mapping[str, Any]


class Jobs(Protocol):
    """Where old jobs are."""

    def all(self) -> list[Job]:
        """Every job, the newest first."""

    def content(self, file_id: str) -> bytes | None:
        """A file's content, None where it is not to be had."""


@dataclass(frozen=True)
class Exported:
    """A folder with JSON or JSONL files: lists of jobs, maybe of files, and the files themselves.

    A file is found by its id or by the name that a list of files gives it.
    """

    folder: Path

    def all(self) -> list[Job]:
        """Raises DataError where no file holds a job."""
        found = {job["id"]: job for job in self._objects(JOB)}
        if not found:
            raise DataError(
                f"{self.folder} holds no fine-tuning jobs",
                fix="save the list of jobs as JSON into it: one object, a list, or a line for each",
            )
        return sorted(found.values(), key=lambda job: -float(job.get("created_at") or 0))

    def content(self, file_id: str) -> bytes | None:
        """See `Jobs`."""
        names = {each["id"]: each.get("filename") for each in self._objects(FILE)}
        for path in self._files():
            if path.stem == file_id or path.name in (file_id, names.get(file_id)):
                return path.read_bytes()
        return None

    def _files(self) -> Iterator[Path]:
        yield from (path for path in sorted(self.folder.rglob("*")) if path.is_file())

    def _objects(self, kind: str) -> Iterator[Job]:
        for path in self._files():
            if path.suffix in (".json", ".jsonl") and path.stat().st_size <= MOST_BYTES:
                yield from (each for each in _values(path) if each.get("object") == kind)


def _values(path: Path) -> Iterator[Job]:
    """Objects in a file: one, those of a list, those under `data`, or one for each line."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return
    try:
        content = [json.loads(text)]
    except ValueError:
        content = [_line(line) for line in text.splitlines()]
    for value in content:
        inner = value.get("data", value) if isinstance(value, dict) else value
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict) and "id" in each:
                yield each


def _line(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class AtService:
    """The service itself.

    Args:
        connection: see `backends.openai.connection`.
    """

    connection: Any

    def all(self) -> list[Job]:
        """Raises RunError where the service has none, TunewrightError where it refuses."""
        from tunewright.backends.openai.listing import pages

        client, patience = self.connection.client, self.connection.patience

        def ask(cursor: dict[str, Any]) -> Any:
            return patience.ask("the list of jobs", partial(client.fine_tuning.jobs.list, **cursor))

        found = [job.to_dict(mode="json") for page in pages(ask) for job in page]
        if not found:
            raise RunError(
                f"{patience.host} has no fine-tuning jobs", fix="use the key of another project"
            )
        return found

    def content(self, file_id: str) -> bytes | None:
        """See `Jobs`."""
        client, patience = self.connection.client, self.connection.patience
        try:
            found = patience.ask("a training file", partial(client.files.content, file_id))
        except TunewrightError:  # deleted, or of another user: the recipe says so
            return None
        content: bytes = found.read()
        return content
