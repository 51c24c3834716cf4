"""`/v1/files`: upload, list, look at, read and delete."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import FileResponse
from sqlalchemy import or_
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from tunewright.serve.answers import not_found
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.files import stored_files
from tunewright.serve.files.file_rules import (
    EXPIRES,
    LEAST_LIFE_S,
    MOST_BATCH_BYTES,
    MOST_LIFE_S,
    OF_LINES,
    PURPOSES,
    read_life_s,
    read_purpose,
    refuse_name,
    refuse_other_lines,
    refuse_unknown,
)
from tunewright.serve.files.multipart import BINARY, Received, multipart_of, receive, too_large
from tunewright.serve.listing import envelope, page
from tunewright.serve.settings import MIB, ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import files

router = new_router("/v1/files")
_FIELDS = {
    "file": BINARY,
    "purpose": {"enum": list(PURPOSES)},
    "expires_after[anchor]": {"const": "created_at"},
    "expires_after[seconds]": {
        "type": "integer",
        "minimum": LEAST_LIFE_S,
        "maximum": MOST_LIFE_S,
    },
}


@router.post("", openapi_extra=multipart_of(_FIELDS, "purpose"))
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
    refuse_unknown(fields, ("purpose", *EXPIRES))
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


class _Whole(FileResponse):
    """The file from its beginning to its end, whatever part of it is asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `FileResponse`."""
        headers = [each for each in scope["headers"] if each[0] != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


@router.get("/{file_id}/content")
def read_file(file_id: str, settings: SettingsOfApp, store: StoreOfApp) -> FileResponse:
    """The bytes as they came."""
    row = stored_files.find(settings, store, file_id)
    path = stored_files.path_of(settings, row)
    if not path.is_file():
        raise not_found("file", file_id, param="file_id")
    # A browser that opens it must not take it for a page of this server.
    headers = {"x-content-type-options": "nosniff"}
    return _Whole(
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
