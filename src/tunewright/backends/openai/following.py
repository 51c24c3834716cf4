"""What becomes of a job, as it happens: each change of its state and each event, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tunewright.backends.openai.connection import Connection
from tunewright.backends.openai.listing import pages
from tunewright.errors import FailedRunError, RunError

ENDED = ("succeeded", "failed", "cancelled")
TRAINS = "running"
"""In all other states, some of which no list has, nothing is trained."""


@dataclass(frozen=True)
class News:
    """Something that happened: a job in another state, an event, or that it still waits.

    Args:
        what: the job, the event, or of `waiting` the job.
    """

    kind: Literal["state", "event", "waiting"]
    what: Any


@dataclass(frozen=True)
class Looking:
    """How often a job is looked at, and how long an idle one is waited for.

    Args:
        wait_s: in one state, before the run stops; remind_s: before it is said that it waits.
    """

    poll_s: float
    wait_s: float
    remind_s: float = 300.0
    clock: Callable[[], float] = time.monotonic


def follow(
    connection: Connection, job_id: str, known: set[str], looking: Looking
) -> Iterator[News]:
    """News of a job until it ended; the last one is its end, after all events.

    Args:
        known: ids of events that were told before; it grows.
    Raises:
        RunError: it waits in a queue, or paused, for longer than is waited for.
        FailedRunError: it failed or was cancelled.
    """
    state, since, reminded = "", looking.clock(), 0.0
    while True:
        job = connection.patience.ask(
            "a look at the job", lambda: connection.client.fine_tuning.jobs.retrieve(job_id)
        )
        for event in new_events(connection, job_id, known):
            yield News("event", event)
        now = looking.clock()
        if job.status != state:
            state, since, reminded = str(job.status), now, 0.0
            yield News("state", job)
        if state in ENDED:
            _refuse_bad_end(connection, job)
            return
        if state != TRAINS:
            _refuse_long_wait(connection, job, now - since, looking)
            if now - since - reminded > looking.remind_s:
                reminded = now - since
                yield News("waiting", job)
        connection.patience.sleep(looking.poll_s)


def new_events(connection: Connection, job_id: str, known: set[str]) -> list[Any]:
    """Events that were not told yet, the oldest first, in whatever order the service gives them."""

    def ask(cursor: dict[str, Any]) -> Any:
        return connection.patience.ask(
            "the job's events",
            lambda: connection.client.fine_tuning.jobs.list_events(job_id, **cursor),
        )

    found: list[Any] = []
    for page in pages(ask):
        new = [event for event in page if event.id not in known]
        found += new
        if not new:
            break
    known |= {event.id for event in found}
    newest_first = reversed(found)  # of one second the order of the list decides
    return sorted(newest_first, key=lambda event: (event.created_at or 0, _step(event)))


def _step(event: Any) -> int:
    data = event.data if isinstance(event.data, dict) else {}
    return int(data.get("step") or 0)


def _refuse_long_wait(connection: Connection, job: Any, waited_s: float, looking: Looking) -> None:
    if waited_s < looking.wait_s:
        return
    what = "is paused" if job.status in ("paused", "pausing") else f"waits ({job.status})"
    raise RunError(
        f"job {job.id} at {connection.patience.host} {what} for {waited_s / 60:.0f} minutes, the "
        "most that service.wait_minutes allows; the job itself goes on",
        fix="resume or cancel it there, or let this run wait on: tunewright run --resume RUN",
    )


def _refuse_bad_end(connection: Connection, job: Any) -> None:
    if job.status == "succeeded":
        return
    host = connection.patience.host
    if job.status == "cancelled":
        raise FailedRunError(
            f"job {job.id} was cancelled at {host}", fix="start a new run to train again"
        )
    code, message, param = (getattr(job.error, name, None) for name in ("code", "message", "param"))
    at = f" ({param})" if param else ""
    raise FailedRunError(
        f"job {job.id} failed at {host}: {code or 'no code'}{at}: {message or 'no reason was given'}",
        fix="mend what it names and start a new run; where it names nothing, start it once more",
    )
