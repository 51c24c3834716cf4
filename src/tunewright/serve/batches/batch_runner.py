"""Works on the batches of the store, as long as the server runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from filelock import FileLock, Timeout

from tunewright.durable import make_folder
from tunewright.serve.batches import batches
from tunewright.serve.batches.batch_answers import BatchAnswers
from tunewright.serve.batches.batch_work import BatchWork

MOST_AT_ONCE = 4
"""Batches of one server that are at work."""
LOOK_S = 5.0
"""So often it looks for batches that another server left, or that failed to go on."""
_log = logging.getLogger("tunewright.serve")


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Within, batches are worked on; `app.state.batch_wanted` wakes it."""
    app.state.batch_wanted = asyncio.Event()
    task = asyncio.create_task(_run(app))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run(app: FastAPI) -> None:
    at_work: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            app.state.batch_wanted.clear()
            wanted = await asyncio.to_thread(_wanted, app)
            at_work = {name: task for name, task in at_work.items() if not task.done()}
            for batch_id in wanted:
                if len(at_work) < MOST_AT_ONCE and batch_id not in at_work:
                    at_work[batch_id] = asyncio.create_task(_work(app, batch_id))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(app.state.batch_wanted.wait(), LOOK_S)
    finally:
        left = list(at_work.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _wanted(app: FastAPI) -> list[str]:
    try:
        return [row["id"] for row in batches.unfinished(app.state.store)]
    except Exception:  # noqa: BLE001 -- the database may be back at the next look
        _log.exception("the batches cannot be read")
        return []


async def _work(app: FastAPI, batch_id: str) -> None:
    """Work on a batch, unless another server does; what fails is tried again at the next look."""
    folders = await asyncio.to_thread(make_folder, batches.folder_of(app.state.settings))
    lock: Any = FileLock(folders / f"{batch_id}.lock", thread_local=False)
    try:
        with lock.acquire(timeout=0):
            answers = await asyncio.to_thread(BatchAnswers, folders / batch_id)
            await BatchWork(app, batch_id, answers).run()
            (folders / f"{batch_id}.lock").unlink(missing_ok=True)
    except Timeout:
        return
    except Exception:  # noqa: BLE001 -- one batch's failure is not the server's
        _log.exception("batch %s did not go on", batch_id)
        return
    app.state.batch_wanted.set()
