"""`/v1/files`: upload, list, look at, read and delete."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from sqlalchemy import or_
from starlette.concurrency import run_in_threadpool

from tunewright.serve.answers import not_found
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.files import stored_files
from tunewright.serve.files.file_rules import (
    MOST_BATCH_BYTES,
    OF_LINES,
    read_life_s,
    read_purpose,
    refuse_name,
    refuse_other_lines,
    refuse_unknown,
)
from tunewright.serve.files.multipart import Received, receive, too_large
from tunewright.serve.listing import envelope, page, refuse_unknown_query
from tunewright.serve.settings import MIB, ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import files

router = APIRouter(prefix="/v1/files")


@router.post("")
async def create_file(
    request: Request, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """Take a file; refuse it at once where it is not what its purpose asks for."""
    received = await receive(
        request,
        file_field="file",
        folder=settings.files_folder,
        most_bytes=settings.max_file_mib * MIB,
    )
    try:
        row = await run_in_threadpool(_kept, settings, store, received)
    finally:
        received.discard()
    return stored_files.as_object(row)


def _kept(settings: ServeSettings, store: Store, received: Received) -> Row:
    fields = received.fields
    refuse_unknown(fields)
    purpose = read_purpose(fields.get("purpose"))
    refuse_name(purpose, received.filename)
    life_s = read_life_s(fields)
    if purpose == "batch" and received.num_bytes > MOST_BATCH_BYTES:
        raise too_large("file", MOST_BATCH_BYTES)
    if purpose in OF_LINES:
        refuse_other_lines(received.path)
    return stored_files.keep(
        settings,
        store,
        received.path,
        filename=received.filename,
        purpose=purpose,
        sha256=received.sha256,
        life_s=life_s,
    )


@router.get("")
def list_files(
    request: Request,
    store: StoreOfApp,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    purpose: str | None = None,
) -> dict[str, Any]:
    """The files that are still there, newest first unless `order` says otherwise."""
    refuse_unknown_query(request, "after", "limit", "order", "purpose")
    where = [or_(files.c.expires_at.is_(None), files.c.expires_at > time.time())]
    if purpose is not None:
        where.append(files.c.purpose == purpose)
    newest = order == "desc"
    rows, more = page(store, files, *where, after=after, limit=limit, newest_first=newest)
    return envelope([stored_files.as_object(row) for row in rows], has_more=more)


@router.get("/{file_id}")
def retrieve_file(file_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """One file's facts."""
    return stored_files.as_object(stored_files.find(settings, store, file_id))


@router.get("/{file_id}/content")
def read_file(file_id: str, settings: SettingsOfApp, store: StoreOfApp) -> FileResponse:
    """The bytes as they came."""
    row = stored_files.find(settings, store, file_id)
    path = stored_files.path_of(settings, row)
    if not path.is_file():
        raise not_found("file", file_id, param="file_id")
    # A browser that opens it must not take it for a page of this server.
    headers = {"x-content-type-options": "nosniff"}
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=row["filename"],
        content_disposition_type="attachment",
        headers=headers,
    )


@router.delete("/{file_id}")
def delete_file(file_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Delete it for good. Jobs that have begun keep what they need of it."""
    stored_files.remove(settings, store, stored_files.find(settings, store, file_id))
    return {"id": file_id, "object": "file", "deleted": True}
