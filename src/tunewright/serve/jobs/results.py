"""The end of a job that succeeded: its result file, its model, its last events."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from tunewright.durable import read_lines
from tunewright.serve.files.stored_files import RESULTS, new_result
from tunewright.serve.jobs.hosted_events import add_model
from tunewright.serve.jobs.jobs import add_event
from tunewright.serve.jobs.leases import Lease, release
from tunewright.serve.jobs.tuned_names import tuned_name
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.tables import events, files, jobs

COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_mean_token_accuracy",
}


def succeed(settings: ServeSettings, store: Store, lease: Lease, run: Path) -> None:
    """Write the result file, then all that makes the job succeeded, in one transaction.

    Raises:
        LostError: the job is not held any more.
    """
    with store.reading() as connection:
        job = dict(connection.execute(select(jobs).where(jobs.c.id == lease.job)).mappings().one())
        query = select(events.c.data).where(events.c.job == job["id"], events.c.type == "metrics")
        steps = sorted(connection.execute(query).scalars(), key=lambda data: data["step"])
    content = as_csv(steps).encode()
    file = new_result(
        settings,
        content,
        filename="step_metrics.csv",
        purpose=RESULTS,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    now, name = int(time.time()), tuned_name(job)
    with store.writing() as connection:
        release(
            connection,
            lease,
            status="succeeded",
            finished_at=now,
            estimated_finish=None,
            fine_tuned_model=name,
            trained_tokens=_tokens(run),
            result_files=[file["id"]],
        )
        connection.execute(insert(files).values(**file))
        add_model(connection, job, name, run / "model", now)
        add_event(connection, job["id"], "model", f"New fine-tuned model created: {name}")
        add_event(connection, job["id"], "succeeded", "The job has successfully completed")


def as_csv(steps: Iterable[dict[str, Any]]) -> str:
    """A line for each step; a cell is empty where nothing was measured.

    >>> as_csv([{"step": 1, "train_loss": 0.5, "valid_loss": None}]).splitlines()[1]
    '1,0.5,,,'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for data in steps:
        writer.writerow(["" if data.get(k) is None else data[k] for k in COLUMNS.values()])
    return out.getvalue()


def _tokens(run: Path) -> int:
    plans = [event for event in read_lines(run / "events.jsonl") if event["event"] == "job_plan"]
    return int(plans[-1]["tokens"])
