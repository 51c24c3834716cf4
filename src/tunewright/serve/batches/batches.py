"""Batches in the store: what is known of one, and how it goes from one state to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from tunewright.serve.answers import ApiError, not_found
from tunewright.serve.identifiers import new_id
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import files, objects

KIND = "batch"
WINDOW_S = 24 * 3600
UNFINISHED = ("validating", "in_progress", "finalizing", "cancelling")
_CANCELLABLE = ("validating", "in_progress")
_TIMES = {
    "in_progress": "in_progress_at",
    "finalizing": "finalizing_at",
    "completed": "completed_at",
    "failed": "failed_at",
    "expired": "expired_at",
    "cancelling": "cancelling_at",
    "cancelled": "cancelled_at",
}


def folder_of(settings: ServeSettings) -> Path:
    """Where the answers of batches are while they are at work, a folder each."""
    return settings.folder.absolute() / "batches"


def new_batch(store: Store, values: Mapping[str, Any]) -> Row:
    """A batch that is to be looked at; `values` is what was asked for."""
    now = int(time.time())
    body = {
        "id": new_id("batch"),
        "object": KIND,
        **values,
        "status": "validating",
        "created_at": now,
        "expires_at": now + WINDOW_S,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
    }
    return store.add(
        objects, id=body["id"], kind=KIND, status="validating", body=body, created_at=now
    )


def find(store: Store, batch_id: str) -> Row:
    """The batch of this id.

    Raises:
        ApiError: there is none.
    """
    row = store.get(objects, batch_id)
    if row is None or row["kind"] != KIND:
        raise not_found("batch", batch_id, param="batch_id")
    return row


def unfinished(store: Store) -> list[Row]:
    """The batches that there is something to do for, the oldest first."""
    where = (objects.c.kind == KIND, objects.c.status.in_(UNFINISHED))
    query = select(objects).where(*where).order_by(objects.c.number)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def enter(store: Store, batch_id: str, status: str, *before: str, **values: Any) -> bool:
    """Put a batch into a state, with the time, where it is in one of those before; whether it was.

    Args:
        values: fields of the batch to set; `made` are rows of files that come to be with it.
    """
    made: Sequence[Row] = values.pop("made", ())
    with store.writing() as connection:
        query = select(objects).where(objects.c.id == batch_id, objects.c.status.in_(before))
        row = connection.execute(query).mappings().first()
        if row is None:
            return False
        body = {**row["body"], **values, "status": status}
        if status in _TIMES:
            body.setdefault(_TIMES[status], int(time.time()))
        for file in made:
            connection.execute(files.insert().values(**file))
        changed = update(objects).where(objects.c.id == batch_id)
        connection.execute(changed.values(status=status, body=body))
    return True


def cancel(store: Store, batch_id: str) -> dict[str, Any]:
    """The batch, which is being cancelled.

    Raises:
        ApiError: there is none, or it is past that.
    """
    entered = enter(store, batch_id, "cancelling", *_CANCELLABLE)
    body: dict[str, Any] = find(store, batch_id)["body"]
    if not entered and body["status"] != "cancelling":
        told = f"Cannot cancel a batch with status '{body['status']}'."
        raise ApiError(409, told, "batch_id", "invalid_batch_status")
    return as_object(body)


def as_object(body: Mapping[str, Any]) -> dict[str, Any]:
    """The batch as the API shows it; what it has not come to yet is left out."""
    hidden = ("output_expires_after",)
    return {key: value for key, value in body.items() if key not in hidden}
