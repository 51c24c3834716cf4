"""What nobody needs any more is deleted when a server starts: time has run out, or a kill left it."""

from __future__ import annotations

import time

from sqlalchemy import delete, select, update

from tunewright.serve.files import stored_files
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.tables import files, upload_parts, uploads

LEFT_OVER_S = 24 * 3600


def sweep(settings: ServeSettings, store: Store) -> None:
    """Delete files and uploads whose time is over, and bytes of uploads that a kill ended."""
    now = time.time()
    with store.writing() as connection:
        over = uploads.c.expires_at <= now
        connection.execute(
            update(uploads).where(over, uploads.c.status == "pending").values(status="expired")
        )
        closed = select(uploads.c.id).where(uploads.c.status != "pending")
        connection.execute(delete(upload_parts).where(upload_parts.c.upload.in_(closed)))
        parts = set(connection.execute(select(upload_parts.c.id)).scalars())
        gone = connection.execute(select(files).where(files.c.expires_at <= now)).mappings().all()
    for row in gone:
        stored_files.remove(settings, store, dict(row))
    for path in settings.files_folder.glob("*.part"):
        try:
            is_old = now - path.stat().st_mtime > LEFT_OVER_S
        except FileNotFoundError:
            continue  # another server moved it on
        if is_old and path.stem not in parts:
            path.unlink(missing_ok=True)
