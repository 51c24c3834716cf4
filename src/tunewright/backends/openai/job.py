"""A fine-tuning job, created once: after a stop it is looked for before another is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import openai

from tunewright.backends.openai.connection import Connection
from tunewright.backends.openai.listing import pages
from tunewright.backends.openai.notes import Notes
from tunewright.backends.openai.patience import passes, wait_of, was_heard
from tunewright.backends.openai.refusals import is_final, said_by, status_of
from tunewright.errors import RunError

TAG = "tunewright_run"
"""The key in a job's metadata that says which run it is of."""
NOTE = "job"
CLOCKS_APART_S = 86_400.0
LAG_S = 20.0  # a job may be in the list a little later than it is created
TRIES = 6


def create_once(
    connection: Connection,
    request: dict[str, Any],
    tag: str,
    notes: Notes,
    *,
    on_refusal: Callable[[], None],
) -> str:
    """The id of this run's job: known, found again, or created now.

    Args:
        request: the body. Its training file is of this run alone, so that a job can be told by it
            where a service keeps no metadata.
        tag: of the run.
        on_refusal: is called where the service will never create this job, before that is raised.
    Raises:
        TunewrightError: the service refuses, or cannot say whether there is a job.
    """
    known = notes.of(NOTE)
    if known is not None and "id" in known:
        return str(known["id"])
    begun = time.time() if known is None else float(known["begun"])
    if known is None:
        notes.write(NOTE, {"begun": begun, "tag": tag})
        found = None
    else:
        found = find_twice(connection, request, tag, begun)
    for tries in range(TRIES):
        if found is not None:
            break
        found = _create(connection, request, tag, begun, tries, on_refusal)
    if found is None:
        raise RunError(
            f"{connection.patience.host} did not create the job in {TRIES} tries",
            fix="try again later: tunewright run --resume RUN",
        )
    notes.write(NOTE, {"begun": begun, "tag": tag, "id": found})
    return found


def _create(
    connection: Connection,
    request: dict[str, Any],
    tag: str,
    begun: float,
    tries: int,
    on_refusal: Callable[[], None],
) -> str | None:
    """The new job's id, or that of the one which was created though nobody said so; None for none."""
    try:
        return _created(connection, request, tag)
    except openai.APIError as error:
        pause = wait_of(error, tries)
        if pause is None or pause > connection.patience.most_s or tries == TRIES - 1:
            if was_heard(error):
                found = find_twice(connection, request, tag, begun)
                if found is not None:
                    return found
            elif is_final(error):
                on_refusal()
            raise connection.patience.refusal(error, "the job") from None
        connection.patience.told("the job is asked for again", pause)
        connection.patience.sleep(pause)
        return find_twice(connection, request, tag, begun) if was_heard(error) else None


def _created(connection: Connection, request: dict[str, Any], tag: str) -> str:
    """Some services keep no metadata: there the training file tells which run a job is of."""
    create = connection.client.fine_tuning.jobs.create
    try:
        return str(create(**request, metadata={TAG: tag}).id)
    except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
        if "metadata" not in f"{error.param} {said_by(error)}":
            raise
        return str(create(**request).id)


def find_twice(
    connection: Connection, request: dict[str, Any], tag: str, begun: float
) -> str | None:
    """See `find`: now, and once the list had time to know of it."""
    found = find(connection, request, tag, begun)
    if found is not None:
        return found
    connection.patience.told("no job of this run is listed: looking once more", LAG_S)
    connection.patience.sleep(LAG_S)
    return find(connection, request, tag, begun)


def find(connection: Connection, request: dict[str, Any], tag: str, begun: float) -> str | None:
    """The id of a job with this run's tag or training file; None where there is none.

    Args:
        begun: seconds since 1970; older jobs are not this run's.
    Raises:
        RunError: the service keeps no list, so that a second job might be created.
    """
    try:
        for page in pages(lambda cursor: _listed(connection, cursor)):
            for job in page:
                tags = job.metadata if isinstance(job.metadata, dict) else {}
                if tags.get(TAG) == tag or job.training_file == request["training_file"]:
                    return str(job.id)
            if float(page[-1].created_at or begun) < begun - CLOCKS_APART_S:
                return None
    except openai.APIError as error:
        raise RunError(
            f"{connection.patience.host} does not list its jobs (status {status_of(error)}), so "
            "whether this run's was created is unknown",
            fix="look for it there; if there is none, start a new run",
        ) from None
    return None


def _listed(connection: Connection, cursor: dict[str, Any]) -> Any:
    """A page of jobs; what no patience mends comes through as it is."""

    def ask() -> Any:
        try:
            return connection.client.fine_tuning.jobs.list(**cursor)
        except openai.APIError as error:
            if passes(error):
                raise
            return error

    found = connection.patience.ask("the list of jobs", ask)
    if isinstance(found, openai.APIError):
        raise found
    return found
