"""What a job says while it goes on: its steps, the statuses that it is seen in, and what trains it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import psutil
from openai import OpenAI

from worked import ENDED

NEXT = {
    "validating_files": {"queued", "failed", "cancelled"},
    "queued": {"running", "failed", "cancelled"},
    "running": {"paused", "succeeded", "failed", "cancelled"},
    "paused": {"queued", "cancelled"},
}
"""What a job may become."""


class Again(NamedTuple):
    """A job as `done`, asked for by `method`, without a suffix and with files of its own."""

    job: Any
    file: str
    statuses: list[str]


def metrics(client: OpenAI, job: str) -> list[dict[str, Any]]:
    """What each step measured, in their order."""
    events = client.fine_tuning.jobs.list_events(job, limit=50)
    return [dict(each.data) for each in events if each.type == "metrics"][::-1]  # type: ignore[call-overload]


def losses(client: OpenAI, job: str) -> list[float]:
    """The training loss of each step."""
    return [each["train_loss"] for each in metrics(client, job)]


def until_step(client: OpenAI, job: str, step: int, *, timeout_s: float = 3600) -> None:
    """Wait until the job told this step."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        newest = client.fine_tuning.jobs.list_events(job, limit=10).data
        if any(dict(event.data or {}).get("step", 0) >= step for event in newest):  # type: ignore[call-overload]
            return
        found = client.fine_tuning.jobs.retrieve(job)
        assert found.status not in ENDED, found.error
        time.sleep(0.1)
    raise AssertionError(f"{job} did not come to step {step}")


def trainers() -> list[psutil.Process]:
    """Processes below this one that train, wherever they hang."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "tunewright.serve.jobs.job_process" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def statuses_of(client: OpenAI, job: str) -> Iterator[list[str]]:
    """Within, the statuses that the job is seen in, each once in a row, by asking all the time."""
    seen, stop = [client.fine_tuning.jobs.retrieve(job).status], threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            status = client.fine_tuning.jobs.retrieve(job).status
            if status != seen[-1]:
                seen.append(status)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(timeout=60)


def is_legal(seen: list[str]) -> bool:
    """Whether a job may go from each to the next, perhaps by others that nobody saw.

    >>> is_legal(["queued", "succeeded"]), is_legal(["succeeded", "running"])
    (True, False)
    """
    return all(after in _reached(before) for before, after in pairwise(seen))


def _reached(status: str) -> set[str]:
    found, left = set[str](), {status}
    while left:
        more = NEXT.get(left.pop(), set()) - found
        found |= more
        left |= more
    return found
