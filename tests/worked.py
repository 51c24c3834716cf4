"""A server with a worker beside it, and files and jobs small enough to end in seconds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openai import OpenAI

from served import served
from tiny_chats import chats
from tunewright.serve.jobs.worker import Worker
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store

ENDED = ("succeeded", "failed", "cancelled")
SETTINGS = {"train.threads": 1, "train.precision": "fp32", "train.max_length": 128}
"""Of every job here: nothing is measured on a busy machine."""


@contextmanager
def working(settings: ServeSettings) -> Iterator[None]:
    """Within, a worker in a thread of this process; the processes that train are its children."""
    store, stop = Store(settings.database_url), threading.Event()
    thread = threading.Thread(target=Worker(settings, store).run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=60)
        store.close()
        assert not thread.is_alive()


@contextmanager
def trained(settings: ServeSettings) -> Iterator[OpenAI]:
    """Within, a server and its worker; yields a client."""
    with served(settings) as client, working(settings):
        yield client


def upload(client: OpenAI, rows: list[dict[str, Any]], name: str = "chats.jsonl") -> str:
    """A file of these rows; its id."""
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return client.files.create(file=(name, content), purpose="fine-tune").id


def create(client: OpenAI, training_file: str, **more: Any) -> Any:
    """A job on the model `tiny` that asks for little."""
    extension = {"settings": SETTINGS, **more.pop("tunewright", {})}
    return client.fine_tuning.jobs.create(
        model=more.pop("model", "tiny"),
        training_file=training_file,
        extra_body={"tunewright": extension},
        **more,
    )


def wait_for(client: OpenAI, job_id: str, *statuses: str, timeout_s: float = 120.0) -> Any:
    """The job once it has one of these statuses; seen statuses are legal ones."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        job = client.fine_tuning.jobs.retrieve(job_id)
        if job.status in (statuses or ENDED):
            return job
        assert job.status not in ENDED, job.error
        time.sleep(0.1)
    raise AssertionError(f"{job_id} is {job.status} after {timeout_s} s")


def ten_chats() -> list[dict[str, Any]]:
    """The fewest that are taken."""
    return chats(10)
