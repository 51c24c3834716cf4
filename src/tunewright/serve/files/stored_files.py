"""Files that were uploaded: their bytes in one folder, their facts in the store."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tunewright.durable import disk_errors, fsync_folder, write_bytes
from tunewright.serve.answers import not_found
from tunewright.serve.files.file_rules import OF_LINES
from tunewright.serve.identifiers import new_id
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import files

RESULTS = "fine-tune-results"


def path_of(settings: ServeSettings, file: Row) -> Path:
    """Where the bytes of a file are; what reads rows goes by the ending."""
    endings = {RESULTS: ".csv", "batch_output": ".jsonl"}
    ending = ".jsonl" if file["purpose"] in OF_LINES else endings.get(file["purpose"], ".bin")
    return settings.files_folder / f"{file['id']}{ending}"


def keep(
    settings: ServeSettings,
    store: Store,
    source: Path,
    *,
    filename: str,
    purpose: str,
    sha256: str,
    life_s: int | None = None,
) -> Row:
    """Take a file that is on the disk already: its bytes first, then its row.

    Args:
        source: moved; a kill in between leaves bytes without a row, which nobody sees.
    """
    now = int(time.time())
    values: dict[str, Any] = {
        "id": new_id("file"),
        "created_at": now,
        "bytes": source.stat().st_size,
        "filename": filename,
        "purpose": purpose,
        "expires_at": None if life_s is None else now + life_s,
        "status": "processed",
        "status_details": None,
        "sha256": sha256,
    }
    place = path_of(settings, values)
    with disk_errors(place):
        os.replace(source, place)
        fsync_folder(place.parent)
    return store.add(files, **values)


def new_result(settings: ServeSettings, content: bytes, **values: Any) -> Row:
    """Write the bytes of a file that the server made; the caller adds the row to the store.

    Args:
        values: filename, purpose and sha256.
    """
    row = {
        "id": new_id("file"),
        "created_at": int(time.time()),
        "bytes": len(content),
        "expires_at": None,
        "status": "processed",
        "status_details": None,
        **values,
    }
    write_bytes(path_of(settings, row), content)
    return row


def find(settings: ServeSettings, store: Store, file_id: str, *, param: str = "file_id") -> Row:
    """The file of this id.

    Raises:
        ApiError: there is none, or its time is over.
    """
    row = store.get(files, file_id)
    if row is None:
        raise not_found("file", file_id, param=param)
    if row["expires_at"] is not None and row["expires_at"] <= time.time():
        remove(settings, store, row)
        raise not_found("file", file_id, param=param)
    return row


def remove(settings: ServeSettings, store: Store, file: Row) -> bool:
    """Delete the row, then the bytes; whether there was one."""
    found = store.remove(files, file["id"])
    path_of(settings, file).unlink(missing_ok=True)
    return found


def as_object(row: Row) -> dict[str, Any]:
    """The file as the API shows it; what has no value is left out where the API knows no null."""
    keys = ("id", "bytes", "created_at", "filename", "purpose", "status")
    shown = {"object": "file", **{key: row[key] for key in keys}}
    some = {key: row[key] for key in ("expires_at", "status_details") if row[key] is not None}
    return shown | some
