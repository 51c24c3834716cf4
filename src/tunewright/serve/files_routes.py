"""`/v1/files`"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from tunewright.serve.answers import not_found
from tunewright.serve.dependencies import StoreOfApp
from tunewright.serve.listing import envelope, page
from tunewright.serve.store import Row
from tunewright.serve.tables import files

router = APIRouter(prefix="/v1/files")


@router.get("")
def list_files(
    store: StoreOfApp,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
) -> dict[str, Any]:
    """The files, newest first."""
    rows, has_more = page(store, files, after=after, limit=limit)
    return envelope([as_object(row) for row in rows], has_more=has_more)


@router.get("/{file_id}")
def retrieve_file(file_id: str, store: StoreOfApp) -> dict[str, Any]:
    """One file's facts."""
    row = store.get(files, file_id)
    if row is None:
        raise not_found("file", file_id, param="file_id")
    return as_object(row)


def as_object(row: Row) -> dict[str, Any]:
    """The file as the API shows it."""
    keys = ("id", "bytes", "created_at", "expires_at", "filename", "purpose")
    shown = {key: row[key] for key in (*keys, "status", "status_details")}
    return {"object": "file", **shown}
