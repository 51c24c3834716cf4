"""What a job may become: every change of its status goes through here, and only where it may.

validating_files → queued → running → succeeded | failed | cancelled; running → paused → queued.
Each change is one transaction that holds only if the status is still what it was.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from tunewright.serve.answers import ApiError, not_found
from tunewright.serve.identifiers import new_id
from tunewright.serve.jobs.job_requests import MOST_SEED, CreateJob
from tunewright.serve.known_models import KnownModel
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import events, jobs

ENDED = ("succeeded", "failed", "cancelled")
CANCELLABLE = ("validating_files", "queued", "running", "paused")


def create_job(
    store: Store,
    body: CreateJob,
    *,
    model: KnownModel,
    organization: str,
    method: dict[str, Any],
    extension: dict[str, Any],
) -> Row:
    """Keep a job that a worker will take."""
    job_id = new_id("job")
    seed = secrets.randbelow(MOST_SEED + 1) if body.seed is None else body.seed
    values = {
        "id": job_id,
        "created_at": int(time.time()),
        "model": model.id,
        "base": model.base,
        "organization": organization,
        "training_file": body.training_file,
        "validation_file": body.validation_file,
        "method": method,
        "suffix": body.suffix,
        "seed": seed,
        "metadata": body.metadata,
        "extension": extension,
        "status": "validating_files",
        "result_files": [],
    }
    files = f"training file: {body.training_file}"
    if body.validation_file is not None:
        files += f" and validation file: {body.validation_file}"
    with store.writing() as connection:
        connection.execute(insert(jobs).values(**values))
        add_event(connection, job_id, "created", f"Created fine-tuning job: {job_id}")
        add_event(connection, job_id, "validating", f"Validating {files}")
        return _row(connection, job_id)


def add_event(
    connection: Connection,
    job_id: str,
    once: str,
    message: str,
    *,
    level: str = "info",
    kind: str = "message",
    data: dict[str, Any] | None = None,
    created_at: float | None = None,
) -> bool:
    """Tell something of a job, unless it was told; whether it was not.

    Args:
        once: names what happened; of two events of one name the first stays.
    """
    known = select(events.c.id).where(events.c.job == job_id, events.c.once == once)
    if connection.execute(known).first() is not None:
        return False
    connection.execute(
        insert(events).values(
            id=new_id("event"),
            created_at=int(time.time() if created_at is None else created_at),
            job=job_id,
            level=level,
            message=message,
            type=kind,
            data=data,
            once=once,
        )
    )
    return True


def find_job(store: Store, job_id: str) -> Row:
    """The job of this id. Raises ApiError when there is none."""
    row = store.get(jobs, job_id)
    if row is None:
        raise not_found("fine-tuning job", job_id, param="fine_tuning_job_id")
    return row


def cancel(store: Store, job_id: str) -> Row:
    """End a job for good; who works on it loses it, and stops."""
    ended: dict[str, Any] = {"finished_at": int(time.time()), "estimated_finish": None}
    with store.writing() as connection:
        _move(connection, job_id, CANCELLABLE, "cancelled", status="cancelled", owner=None, **ended)
        add_event(connection, job_id, "cancelled", "Fine-tuning job cancelled")
        return _row(connection, job_id)


def ask_to_pause(store: Store, job_id: str) -> None:
    """Ask who works on a job to stop with a checkpoint."""
    with store.writing() as connection:
        _move(connection, job_id, ("running",), "paused", wanted="pause", keeps_fence=True)


def resume(store: Store, job_id: str) -> Row:
    """Queue a paused job again."""
    with store.writing() as connection:
        _move(connection, job_id, ("paused",), "resumed", status="queued", wanted="run")
        number = _count(connection, job_id, "resumed-")
        add_event(connection, job_id, f"resumed-{number}", "Fine-tuning job resumed")
        return _row(connection, job_id)


def _count(connection: Connection, job_id: str, prefix: str) -> int:
    query = select(events.c.id).where(events.c.job == job_id, events.c.once.startswith(prefix))
    return len(connection.execute(query).all())


def _move(
    connection: Connection,
    job_id: str,
    allowed: Sequence[str],
    verb: str,
    *,
    keeps_fence: bool = False,
    **values: Any,
) -> None:
    """Change a job whose status is one of `allowed`; whoever held it holds it no longer.

    Raises:
        ApiError: 404, or 409 for another status.
    """
    if not keeps_fence:
        values["fence"] = jobs.c.fence + 1
    query = update(jobs).where(jobs.c.id == job_id, jobs.c.status.in_(allowed)).values(**values)
    if connection.execute(query).rowcount:
        return
    status = connection.execute(select(jobs.c.status).where(jobs.c.id == job_id)).scalar()
    if status is None:
        raise not_found("fine-tuning job", job_id, param="fine_tuning_job_id")
    told = f"Job {job_id} is {status}: only jobs that are {', '.join(allowed)} can be {verb}"
    raise ApiError(409, told, "fine_tuning_job_id", "invalid_job_state")


def _row(connection: Connection, job_id: str) -> Row:
    query = select(jobs).where(jobs.c.id == job_id)
    return dict(connection.execute(query).mappings().one())
