"""Files that are sent, each once, and known again after a stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import openai

from tunewright.backends.openai.connection import UPLOAD_TIMEOUT_S, Connection
from tunewright.backends.openai.listing import pages
from tunewright.backends.openai.notes import Notes
from tunewright.backends.openai.refusals import said_by
from tunewright.errors import DataError

READY_S = 600.0  # a service that takes longer to look at a file is not waited for
PURPOSE = "fine-tune"


def upload_once(
    connection: Connection, path: Path, name: str, notes: Notes, *, poll_s: float
) -> str:
    """The id of a file at the service, sent now or before.

    Args:
        name: that no other file there has. notes: of the run, what was begun and done.
    Raises:
        DataError: the service refuses its content.
    """
    known = notes.of(name)
    if known is not None and "id" in known:
        return str(known["id"])
    found = _sent_before(connection, name) if known is not None else None
    if found is None:
        notes.write(name, {"begun": time.time()})
        found = connection.patience.ask(
            f"the upload of {name}", lambda: _send(connection, path, name)
        )
    notes.write(name, {"id": found.id})
    wait_until_ready(connection, found, poll_s=poll_s)
    return str(found.id)


def take_back(connection: Connection, name: str, notes: Notes) -> str | None:
    """Delete a file that was sent, as nothing will be trained on it; asked for once.

    Returns:
        Why it is still there; None where it is gone.
    """
    known = notes.of(name)
    if known is None or "id" not in known:
        return None
    try:
        connection.client.files.delete(str(known["id"]))
    except openai.APIError as error:
        return said_by(error, connection.patience.hidden)
    notes.write(name, {"begun": time.time()})  # a run that goes on sends it again
    return None


def _send(connection: Connection, path: Path, name: str) -> Any:
    with path.open("rb") as file:
        return connection.client.files.create(
            file=(name, file), purpose=PURPOSE, timeout=UPLOAD_TIMEOUT_S
        )


def _sent_before(connection: Connection, name: str) -> Any:
    """A file of that name; None where there is none."""
    asked = connection.patience.ask

    def ask(cursor: dict[str, Any]) -> Any:
        return asked(
            "the list of files", lambda: connection.client.files.list(purpose=PURPOSE, **cursor)
        )

    return next((each for page in pages(ask) for each in page if each.filename == name), None)


def wait_until_ready(
    connection: Connection,
    file: Any,
    *,
    poll_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return when the service has looked at a file; some never say so, and are not waited for.

    Raises:
        DataError: it found fault with it.
    """
    until = clock() + READY_S
    while file.status not in ("processed", None):
        if file.status == "error":
            raise DataError(
                f"the service refuses the file {file.filename}: {file.status_details or 'no reason'}",
                fix="mend the rows that it names, and start a new run",
            )
        if clock() > until:
            return
        connection.patience.sleep(poll_s)
        look = partial(connection.client.files.retrieve, file.id)
        file = connection.patience.ask("a look at a file", look)
