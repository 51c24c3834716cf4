"""What a job leaves at the service, fetched into the run folder."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from functools import partial
from pathlib import Path
from typing import Any

from tunewright.backends.openai.connection import Connection
from tunewright.backends.openai.listing import pages
from tunewright.durable import write_bytes, write_json
from tunewright.errors import TunewrightError


def fetch_results(connection: Connection, job: Any, folder: Path) -> list[dict[str, str]]:
    """Write results.csv and checkpoints.json; the rows of the former, none where there is none."""
    write_json(
        folder / "checkpoints.json", [_plain(each) for each in _checkpoints(connection, job)]
    )
    for file_id in job.result_files or ():
        content = connection.patience.ask(
            "the result file", partial(connection.client.files.content, file_id)
        )
        plain = as_csv(content.read())
        write_bytes(folder / "results.csv", plain)
        return list(csv.DictReader(io.StringIO(plain.decode("utf-8", errors="replace"))))
    return []


def as_csv(content: bytes) -> bytes:
    """The table itself: some services send it as it is, others in base64.

    >>> as_csv(b"c3RlcCx0cmFpbl9sb3NzCjEsMC41Cg==")
    b'step,train_loss\\n1,0.5\\n'
    """
    if b"," in content.split(b"\n", 1)[0]:  # no letter of base64
        return content
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return content


def _checkpoints(connection: Connection, job: Any) -> list[Any]:
    """All of them; none where the service does not keep a list."""

    def ask(cursor: dict[str, Any]) -> Any:
        return connection.patience.ask(
            "the job's checkpoints",
            lambda: connection.client.fine_tuning.jobs.checkpoints.list(job.id, **cursor),
        )

    try:
        return [each for page in pages(ask) for each in page]
    except TunewrightError:  # a trained model is worth more than a list that a service lacks
        return []


def _plain(checkpoint: Any) -> dict[str, Any]:
    found: dict[str, Any] = checkpoint.to_dict(mode="json")
    return found
