"""The work on one batch: it goes on from whatever a killed server left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI

from tunewright.serve.answers import ApiError
from tunewright.serve.batches import batches
from tunewright.serve.batches.batch_answers import BatchAnswers
from tunewright.serve.batches.batch_lines import Place, Problem, read_body, read_places
from tunewright.serve.door.inside import ask_inside
from tunewright.serve.files import stored_files

MOST_AT_ONCE = 16
"""Requests of one batch that are asked at the same time."""
LOOK_S = 0.5
"""So often it looks whether it was cancelled, and tells how far it is."""
_EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}
End = Literal["completed", "cancelled", "expired"]


class BatchWork:
    """One batch, from wherever it is to its end.

    Args:
        app: whose routes are asked for the answers.
    """

    def __init__(self, app: FastAPI, batch_id: str, answers: BatchAnswers) -> None:
        self._app = app
        self._settings = app.state.settings
        self._store = app.state.store
        self._id = batch_id
        self._answers = answers
        self._end: End = "completed"
        self._over = asyncio.Event()  # nobody waits for more answers

    async def run(self) -> None:
        """Do what is left to do."""
        body = await self._body()
        try:
            path = await asyncio.to_thread(self._input, body["input_file_id"])
            places, problems = await asyncio.to_thread(read_places, path, body["endpoint"])
        except (ApiError, OSError):
            places, problems = [], [_deleted()]
        if problems:
            await self._fail(problems)
            return
        models = {place.model for place in places} - {None}
        named = {"model": models.pop()} if len(models) == 1 else {}
        await self._enter("in_progress", "validating", **named)
        await self._answer_all(path, places, body["endpoint"])
        await self._finish(len(places))

    def _input(self, file_id: str) -> Path:
        return stored_files.path_of(
            self._settings, stored_files.find(self._settings, self._store, file_id)
        )

    async def _answer_all(self, path: Path, places: Sequence[Place], endpoint: str) -> None:
        """Ask for what has no answer yet, until there is none left, or it is over."""
        await self._look(len(places))
        watching = asyncio.create_task(self._watch(len(places)))
        left = iter([place for place in places if not self._answers.has(place.custom_id)])
        try:
            with path.open("rb") as file:

                async def ask_on() -> None:
                    for place in left:
                        if self._over.is_set():
                            return
                        await self._answer(place, read_body(file, place), endpoint)

                async with asyncio.TaskGroup() as group:
                    for _ in range(MOST_AT_ONCE):
                        group.create_task(ask_on())
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        if self._end == "expired":
            for place in places:
                if not self._answers.has(place.custom_id):
                    await asyncio.to_thread(
                        self._answers.add, place.custom_id, None, error=_EXPIRED
                    )

    async def _answer(self, place: Place, body: dict[str, Any], endpoint: str) -> None:
        answered = await ask_inside(self._app, endpoint, body, gone=self._over)
        if not self._over.is_set():  # else it may be half of one
            await asyncio.to_thread(self._answers.add, place.custom_id, answered)

    async def _watch(self, total: int) -> None:
        while not self._over.is_set():
            await asyncio.sleep(LOOK_S)
            await self._look(total)

    async def _look(self, total: int) -> None:
        """Tell how far it is, and see whether it is over."""
        counts = self._answers.counts(total)
        await self._enter("in_progress", "in_progress", request_counts=counts)
        body = await self._body()
        if body["status"] == "cancelling":
            self._end = "cancelled"
        elif time.time() >= body["expires_at"] and body["status"] == "in_progress":
            self._end = "expired"
        if self._end != "completed":
            self._over.set()

    async def _finish(self, total: int) -> None:
        """The files of a batch and its end come to be in one step."""
        await self._enter("finalizing", "in_progress")
        if (await self._body())["status"] == "cancelling":
            self._end = "cancelled"
        await asyncio.to_thread(self._finish_at_once, total)

    def _finish_at_once(self, total: int) -> None:
        life = batches.find(self._store, self._id)["body"].get("output_expires_after")
        life_s = None if life is None else life["seconds"]
        made = self._answers.as_files(self._settings, self._id, life_s)
        batches.enter(
            self._store,
            self._id,
            self._end,
            "finalizing",
            "cancelling",
            made=list(made.values()),
            request_counts=self._answers.counts(total),
            usage=self._answers.usage(),
            **{field: row["id"] for field, row in made.items()},
        )
        self._answers.discard()

    async def _fail(self, problems: list[Problem]) -> None:
        errors = {"object": "list", "data": problems}
        await self._enter("failed", *batches.UNFINISHED, errors=errors)
        await asyncio.to_thread(self._answers.discard)

    async def _enter(self, status: str, *before: str, **values: Any) -> None:
        await asyncio.to_thread(
            lambda: batches.enter(self._store, self._id, status, *before, **values)
        )

    async def _body(self) -> dict[str, Any]:
        row = await asyncio.to_thread(batches.find, self._store, self._id)
        found: dict[str, Any] = row["body"]
        return found


def _deleted() -> Problem:
    told = "The input file was deleted before the batch was done"
    return {"code": "input_file_deleted", "message": told, "param": "input_file_id", "line": None}
