"""`/v1/uploads`: large files in parts, which become one file when they are complete."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field
from sqlalchemy import delete, func, select
from starlette.concurrency import run_in_threadpool

from tunewright.durable import disk_errors
from tunewright.serve.answers import ApiError, not_found
from tunewright.serve.bodies import Body
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.files import stored_files
from tunewright.serve.files.file_rules import (
    OF_LINES,
    life_s,
    plain_name,
    read_purpose,
    refuse_name,
    refuse_other_lines,
    refuse_unknown,
)
from tunewright.serve.files.multipart import BINARY, multipart_of, receive
from tunewright.serve.identifiers import new_id
from tunewright.serve.settings import MIB, ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import upload_parts, uploads

router = new_router("/v1/uploads")
MOST_PART_BYTES = 64 * MIB
MOST_PARTS = 10_000
LIFE_S = 3600
_PIECE = 1 << 20


class ExpiresAfter(Body):
    """When the file that comes of it goes."""

    anchor: str
    seconds: int


class CreateUpload(Body):
    """What will come."""

    bytes: Annotated[int, Field(ge=1)]
    filename: Annotated[str, Field(min_length=1, max_length=512)]
    mime_type: Annotated[str, Field(max_length=256)]
    purpose: str
    expires_after: ExpiresAfter | None = None


class CompleteUpload(Body):
    """The parts in their order."""

    part_ids: Annotated[list[str], Field(min_length=1, max_length=MOST_PARTS)]
    md5: str | None = None


@router.post("")
def create_upload(body: CreateUpload, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Begin an upload; it is open for an hour."""
    if body.bytes > settings.max_upload_mib * MIB:
        told = f"At most {settings.max_upload_mib:,} MiB are taken"
        raise ApiError(400, told, "bytes", "invalid_value")
    purpose = read_purpose(body.purpose)
    filename = plain_name(body.filename, "filename")
    refuse_name(purpose, filename)
    after = body.expires_after
    now = int(time.time())
    row = store.add(
        uploads,
        id=new_id("upload"),
        created_at=now,
        bytes=body.bytes,
        filename=filename,
        purpose=purpose,
        mime_type=body.mime_type,
        expires_at=now + LIFE_S,
        file_expires_after_s=None if after is None else life_s(after.anchor, after.seconds),
        status="pending",
    )
    return _as_object(row, None)


@router.post("/{upload_id}/parts", openapi_extra=multipart_of({"data": BINARY}))
async def add_part(
    upload_id: str, request: Request, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """Take one part; parts may come in any order and at the same time."""
    await run_in_threadpool(_open_upload, store, upload_id)
    received = await receive(
        request, file_field="data", folder=settings.files_folder, most_bytes=MOST_PART_BYTES
    )
    try:
        refuse_unknown(received.fields)
        return await run_in_threadpool(_part_kept, settings, store, upload_id, received.path)
    finally:
        received.discard()


def _part_kept(
    settings: ServeSettings, store: Store, upload_id: str, source: Path
) -> dict[str, Any]:
    upload = _open_upload(store, upload_id)  # it may have ended while the part came
    part_id, size = new_id("part"), source.stat().st_size
    _refuse_more(store, upload, size)
    place = _part_path(settings, part_id)
    with disk_errors(place):
        source.replace(place)
    row = store.add(upload_parts, id=part_id, upload=upload_id, bytes=size)
    keys = ("id", "created_at")
    return {"object": "upload.part", "upload_id": upload_id, **{key: row[key] for key in keys}}


@router.post("/{upload_id}/complete")
def complete_upload(
    upload_id: str, body: CompleteUpload, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """Join the parts in the order that is given; size and checksum must be as promised."""
    upload = _open_upload(store, upload_id)
    parts = _named_parts(store, upload_id, body.part_ids)
    total = sum(part["bytes"] for part in parts)
    if total != upload["bytes"]:
        told = f"The parts have {total} bytes, and {upload['bytes']} were announced"
        raise ApiError(400, told, "part_ids", "invalid_upload")
    joined = settings.files_folder / f".{secrets.token_hex(8)}.part"
    try:
        sha256 = _join((_part_path(settings, part["id"]) for part in parts), joined, body.md5)
        if upload["purpose"] in OF_LINES:
            refuse_other_lines(joined)
        file = stored_files.keep(
            settings,
            store,
            joined,
            filename=upload["filename"],
            purpose=upload["purpose"],
            sha256=sha256,
            life_s=upload["file_expires_after_s"],
        )
    finally:
        joined.unlink(missing_ok=True)
    done = {"status": "completed", "file": file["id"]}
    if not store.change(uploads, upload_id, uploads.c.status == "pending", **done):
        stored_files.remove(settings, store, file)  # another completed it meanwhile
        raise _closed(upload_id, "completed")
    _drop_parts(settings, store, upload_id)
    return _as_object(store.get(uploads, upload_id) or upload, file)


@router.post("/{upload_id}/cancel")
def cancel_upload(upload_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """End an upload; no part is taken afterwards."""
    upload = _open_upload(store, upload_id)
    if not store.change(uploads, upload_id, uploads.c.status == "pending", status="cancelled"):
        raise _closed(upload_id, "completed")
    _drop_parts(settings, store, upload_id)
    return _as_object({**upload, "status": "cancelled"}, None)


def _refuse_more(store: Store, upload: Row, size: int) -> None:
    """Raise ApiError where the parts would be far more than the file; some may have come twice."""
    mine = upload_parts.c.upload == upload["id"]
    query = select(func.count(), func.coalesce(func.sum(upload_parts.c.bytes), 0)).where(mine)
    with store.reading() as connection:
        count, kept = connection.execute(query).one()
    if count >= MOST_PARTS or kept + size > 2 * upload["bytes"] + MOST_PART_BYTES:
        told = (
            f"There are {count:,} parts with {kept:,} bytes, and {upload['bytes']:,} were announced"
        )
        raise ApiError(400, told, "data", "invalid_upload")


def _open_upload(store: Store, upload_id: str) -> Row:
    row = store.get(uploads, upload_id)
    if row is None:
        raise not_found("upload", upload_id, param="upload_id")
    if row["status"] == "pending" and row["expires_at"] <= time.time():
        store.change(uploads, upload_id, uploads.c.status == "pending", status="expired")
        row["status"] = "expired"
    if row["status"] != "pending":
        raise _closed(upload_id, row["status"])
    return row


def _closed(upload_id: str, status: str) -> ApiError:
    return ApiError(400, f"Upload {upload_id} is {status}", "upload_id", "upload_closed")


def _named_parts(store: Store, upload_id: str, part_ids: list[str]) -> list[Row]:
    with store.reading() as connection:
        query = select(upload_parts).where(upload_parts.c.upload == upload_id)
        there = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    for number, part_id in enumerate(part_ids):
        if part_id not in there:
            told = f"No such part of {upload_id}: {part_id}"
            raise ApiError(400, told, f"part_ids[{number}]", "invalid_upload")
    if len(set(part_ids)) != len(part_ids):
        raise ApiError(400, "A part is named twice", "part_ids", "invalid_upload")
    return [there[part_id] for part_id in part_ids]


def _join(parts: Iterable[Path], joined: Path, md5: str | None) -> str:
    """Write the parts one after another; the sha256 of the whole."""
    sha256, other = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with disk_errors(joined), joined.open("xb") as file:
        for path in parts:
            with path.open("rb") as part:
                while piece := part.read(_PIECE):
                    sha256.update(piece)
                    other.update(piece)
                    file.write(piece)
    if md5 is not None and md5.lower() != other.hexdigest():
        raise ApiError(400, f"The md5 is {other.hexdigest()}, not {md5[:64]}", "md5", "invalid_md5")
    return sha256.hexdigest()


def _drop_parts(settings: ServeSettings, store: Store, upload_id: str) -> None:
    mine = upload_parts.c.upload == upload_id
    with store.writing() as connection:
        ids = connection.execute(select(upload_parts.c.id).where(mine)).scalars().all()
        connection.execute(delete(upload_parts).where(mine))
    for part_id in ids:
        _part_path(settings, part_id).unlink(missing_ok=True)


def _part_path(settings: ServeSettings, part_id: str) -> Path:
    return settings.files_folder / f"{part_id}.part"


def _as_object(row: Row, file: Row | None) -> dict[str, Any]:
    keys = ("id", "bytes", "created_at", "expires_at", "filename", "purpose", "status")
    shown = None if file is None else stored_files.as_object(file)
    return {"object": "upload", **{key: row[key] for key in keys}, "file": shown}
