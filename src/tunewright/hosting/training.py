"""The stage `train` where a service trains: send, create the job once, follow it, fetch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tunewright.backends.openai.connection import Connection
from tunewright.backends.openai.files import take_back, upload_once
from tunewright.backends.openai.following import Looking, follow
from tunewright.backends.openai.job import create_once
from tunewright.backends.openai.measured import measured
from tunewright.backends.openai.notes import Notes
from tunewright.backends.openai.results import fetch_results
from tunewright.durable import read_lines
from tunewright.errors import ChangedError, FailedRunError
from tunewright.hosting.request import chosen, digest, in_words, request_of
from tunewright.hosting.sent import Sent
from tunewright.publishing import report_failure
from tunewright.recipe.schema import Recipe
from tunewright.train.events import Events
from tunewright.train.interrupt import Interrupted

PHASE = "job"
REQUEST = "request"
SECONDS = 60.0


@dataclass(frozen=True)
class Trained:
    """A job that succeeded.

    Args:
        record: the phase, as result.json has it. history: every evaluation.
    """

    job: Any
    record: dict[str, Any]
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class HostedTraining:
    """What a training works on; `notes` say what of it was done before."""

    folder: Path
    recipe: Recipe
    sent: Sent
    connection: Connection
    events: Events

    @property
    def notes(self) -> Notes:
        """What was begun and done at the service."""
        return Notes(self.folder / "service" / "notes.json")

    def run(self) -> Trained:
        """Go on from where the notes stand; return when the job succeeded.

        Raises:
            ChangedError: what was asked for is not what is asked for now.
            FailedRunError: the job failed. RunError: it waits for too long.
        """
        self._refuse_changed()
        try:
            job_id = self._job()
            with self._leaving(job_id):
                job = self._follow(job_id)
        except FailedRunError as error:
            report_failure(self.folder, self.recipe, error)
            raise
        rows = fetch_results(self.connection, job, self.folder / "service")
        self.events.emit("fetched", rows=len(rows), model=job.fine_tuned_model)
        record = self._record(job)
        self.events.emit("phase_ended", **record)
        return Trained(job, record, _history(self.folder))

    def _refuse_changed(self) -> None:
        """A job that was asked for is of just these rows and numbers."""
        asked = {"data": self.sent.sha256, "request": digest(request_of(self.recipe, "", ""))}
        before = self.notes.of(REQUEST)
        for key, value in asked.items():
            if before is not None and before[key] != value:
                raise ChangedError(f"the {key} of the job", before[key], value, self.folder)
        self.notes.write(REQUEST, asked)

    def _job(self) -> str:
        ids, names = {}, {}
        for part, path in (("train", self.sent.train), ("validation", self.sent.validation)):
            name = names[part] = f"{self.folder.name}-{part}.jsonl"
            poll_s = self.recipe.service.poll_s
            ids[part] = upload_once(self.connection, path, name, self.notes, poll_s=poll_s)
            self.events.emit("uploaded", part=part, file=ids[part], name=name)
        request = request_of(self.recipe, ids["train"], ids["validation"])
        found = create_once(
            self.connection,
            request,
            self.folder.name,
            self.notes,
            on_refusal=partial(self._take_back, names, ids),
        )
        self.events.emit("job", id=found, host=self.connection.patience.host)
        return found

    def _take_back(self, names: dict[str, str], ids: dict[str, str]) -> None:
        """Files of a job that will never be are not left at the service, as far as it lets them go."""
        for part, name in names.items():
            why = take_back(self.connection, name, self.notes)
            host = self.connection.patience.host
            self.events.emit("taken_back", part=part, file=ids[part], host=host, left=why)

    @contextmanager
    def _leaving(self, job_id: str) -> Iterator[None]:
        """Within, a stop is told to leave the job as it is: it goes on, and costs."""
        try:
            yield
        except (Interrupted, KeyboardInterrupt):
            self.events.emit("job_left", id=job_id, host=self.connection.patience.host)
            raise

    def _follow(self, job_id: str) -> Any:
        told = {
            event["id"]
            for event in read_lines(self.folder / "events.jsonl")
            if event["event"] == "job_event"
        }
        service = self.recipe.service
        looking = Looking(service.poll_s, service.wait_minutes * SECONDS)
        job: Any = None
        for news in follow(self.connection, job_id, told, looking):
            if news.kind == "event":
                self._tell(news.what)
                continue
            job = news.what
            until = datetime.fromtimestamp(time.time() + looking.wait_s, UTC).isoformat(
                "T", "seconds"
            )
            waits = {"waits_until": until} if news.kind == "state" else {}
            self.events.emit(
                f"job_{news.kind}", id=job.id, status=str(job.status), **waits, **chosen(job)
            )
        return job

    def _tell(self, event: Any) -> None:
        """An event of the service, and its numbers as those of any training."""
        self.events.emit(
            "job_event",
            id=event.id,
            at=event.created_at,
            level=event.level or "info",
            message=event.message or "",
        )
        found = measured(event)
        if found is None:
            return
        step, steps = found["step"], found["steps"]
        if "loss" in found:
            self.events.emit(
                "steps",
                step=step,
                phase=PHASE,
                phase_step=step,
                phase_steps=steps,
                loss=found["loss"],
            )
        scores = {
            ours: found[theirs]
            for ours, kinds in _SCORES.items()
            for theirs in kinds  # the last one, over all of validation, if the service has it
            if theirs in found
        }
        if scores:
            self.events.emit("evaluated", step=step, best=False, scores=scores)

    def _record(self, job: Any) -> dict[str, Any]:
        events = read_lines(self.folder / "events.jsonl")
        steps = [event["step"] for event in events if event["event"] == "steps"]
        numbers = chosen(job)
        epochs = numbers.get("n_epochs", self.recipe.train.epochs)
        return {
            "name": PHASE,
            "trainable_blocks": "all",
            "trainable_parameters": 0,
            "learning_rate": None,
            "learning_rate_multiplier": numbers.get("learning_rate_multiplier"),
            "batch_size": numbers.get("batch_size"),
            "epochs": float(epochs),
            "rows_per_s": None,
            "cached": False,
            "reason": in_words(numbers, job),
            "trained_tokens": job.trained_tokens,
            "wall_s": float((job.finished_at or job.created_at or 0) - (job.created_at or 0)),
            "first_step": 0,
            "last_step": max(steps, default=0),
            "best_step": max(steps, default=0),
        }


_SCORES = {
    "loss": ("valid_loss", "full_valid_loss"),
    "token_accuracy": ("valid_token_accuracy", "full_valid_token_accuracy"),
}


def _history(folder: Path) -> list[dict[str, Any]]:
    """Every evaluation that the service did, once for each step."""
    events = read_lines(folder / "events.jsonl")
    looks = {
        each["step"]: {"step": each["step"], **each["scores"]}
        for each in events
        if each["event"] == "evaluated"
    }
    return [look for _, look in sorted(looks.items())]
