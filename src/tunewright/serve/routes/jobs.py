"""`/v1/fine_tuning/jobs`: ask for jobs, follow them, stop them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import String, cast, or_

from tunewright.inference import find_model
from tunewright.serve.answers import ApiError
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.files import stored_files
from tunewright.serve.jobs import jobs as life
from tunewright.serve.jobs.asked_job import extension_of, method_of, refuse_ungranted
from tunewright.serve.jobs.job_objects import checkpoint_object, event_object, job_object
from tunewright.serve.jobs.job_requests import CreateJob
from tunewright.serve.known_models import KnownModel, find_known
from tunewright.serve.listing import envelope, has_pair, page, refuse_unknown_query
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import checkpoints, events, jobs

router = APIRouter(prefix="/v1/fine_tuning/jobs")
PAUSE_WAIT_S = 60.0
_LOOK_EVERY_S = 0.1
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("")
def create_job(body: CreateJob, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Ask for a job; what is wrong with the request is said now, with its files a little later."""
    refuse_ungranted(body)
    method, extension = method_of(body), extension_of(body)
    model = find_known(settings, store, body.model)
    _refuse_untrainable(model, extension["task"])
    for param in ("training_file", "validation_file"):
        _refuse_file(settings, store, getattr(body, param), param)
    row = life.create_job(
        store,
        body,
        model=model,
        organization=settings.organization,
        method=method,
        extension=extension,
    )
    return job_object(row, settings.organization)


def _refuse_untrainable(model: KnownModel, task: str) -> None:
    wanted = "text-generation" if task == "preference" else task
    tasks = model.tasks or _tasks_of_folder(Path(model.source))
    can = {"text-generation" if each == "preference" else each for each in tasks}
    if {"text-classification"} & can:
        can |= {"text-multi-label", "text-regression"}
    if can and wanted not in can:
        told = f"Model {model.id} is not available for fine-tuning with the task {task}"
        raise ApiError(400, told, "model", "model_not_available")


def _tasks_of_folder(folder: Path) -> tuple[str, ...]:
    """What a base that is a folder may be trained for; none where its files leave that open."""
    if not (folder / "config.json").is_file():
        return ()
    known = {"text": ("text-classification",), "image": ("image-classification",)}
    return known.get(find_model(folder).reads, ())


def _refuse_file(settings: ServeSettings, store: Store, file_id: str | None, param: str) -> None:
    if file_id is None:
        return
    file = stored_files.find(settings, store, file_id, param=param)
    if file["purpose"] != "fine-tune":
        told = f"File {file_id} has the purpose {file['purpose']}, not fine-tune"
        raise ApiError(400, told, param, "invalid_file_purpose")


@router.get("")
def list_jobs(
    request: Request,
    settings: SettingsOfApp,
    store: StoreOfApp,
    after: str | None = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """Jobs, newest first, all or with this metadata."""
    refuse_unknown_query(request, "after", "limit", "metadata", "metadata[")
    where = [_has(store, key, value) for key, value in request.query_params.items()]
    found = page(
        store, jobs, *(each for each in where if each is not None), after=after, limit=limit
    )
    return _listed([job_object(row, settings.organization) for row in found[0]], found[1])


def _has(store: Store, key: str, value: str) -> Any:
    """The condition that a query parameter sets; none, where it is about something else."""
    if key == "metadata":
        if value != "null":
            told = "metadata should be null; ask for a pair as metadata[key]=value"
            raise ApiError(400, told, "metadata", "invalid_value")
        return or_(jobs.c.metadata.is_(None), cast(jobs.c.metadata, String) == "{}")
    if not key.startswith("metadata["):
        return None
    name = key.removeprefix("metadata[").removesuffix("]")
    return has_pair(store, jobs.c.metadata, name, value)


@router.get("/{job_id}")
def retrieve_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """One job."""
    return job_object(life.find_job(store, job_id), settings.organization)


@router.post("/{job_id}/cancel")
def cancel_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """End a job; its worker lets go of it within a lease."""
    return job_object(life.cancel(store, job_id), settings.organization)


@router.post("/{job_id}/pause")
def pause_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Ask for a stop with a checkpoint, and wait a minute for it; then it comes later."""
    life.ask_to_pause(store, job_id)
    row = _once_stopped(store, job_id)
    return job_object(row, settings.organization)


def _once_stopped(store: Store, job_id: str) -> Row:
    until = time.monotonic() + PAUSE_WAIT_S
    row = life.find_job(store, job_id)
    while row["status"] == "running" and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        row = life.find_job(store, job_id)
    return row


@router.post("/{job_id}/resume")
def resume_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Let a paused job go on from its checkpoint, when its turn comes."""
    return job_object(life.resume(store, job_id), settings.organization)


@router.get("/{job_id}/events")
def list_events(
    request: Request, job_id: str, store: StoreOfApp, after: str | None = None, limit: Limit = 20
) -> dict[str, Any]:
    """What happened, newest first."""
    refuse_unknown_query(request, "after", "limit")
    life.find_job(store, job_id)
    rows, more = page(store, events, events.c.job == job_id, after=after, limit=limit)
    return _listed([event_object(row) for row in rows], more)


@router.get("/{job_id}/checkpoints")
def list_checkpoints(
    request: Request, job_id: str, store: StoreOfApp, after: str | None = None, limit: Limit = 10
) -> dict[str, Any]:
    """The models of the last epochs, newest first."""
    refuse_unknown_query(request, "after", "limit")
    life.find_job(store, job_id)
    rows, more = page(store, checkpoints, checkpoints.c.job == job_id, after=after, limit=limit)
    return envelope([checkpoint_object(row) for row in rows], has_more=more, none=None)


def _listed(rows: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """A list without first and last id, which those of jobs and events do not have."""
    whole = envelope(rows, has_more=has_more)
    return {key: whole[key] for key in ("object", "data", "has_more")}
