"""`/v1/fine_tuning/jobs`: ask for jobs, follow them, stop them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request
from sqlalchemy import String, cast, or_
from starlette.concurrency import run_in_threadpool as in_a_thread

from tunewright.inference import find_model
from tunewright.serve.answers import ApiError
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.files import stored_files
from tunewright.serve.jobs import jobs as life
from tunewright.serve.jobs.asked_job import extension_of, method_of, refuse_ungranted
from tunewright.serve.jobs.job_objects import checkpoint_object, event_object, job_object
from tunewright.serve.jobs.job_requests import CreateJob
from tunewright.serve.known_models import KnownModel, find_known
from tunewright.serve.listing import envelope, has_metadata, page
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.strict_routes import PAIRS, new_router
from tunewright.serve.tables import checkpoints, events, jobs

router = new_router("/v1/fine_tuning/jobs")
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


@router.get("", openapi_extra=PAIRS)
def list_jobs(
    request: Request,
    settings: SettingsOfApp,
    store: StoreOfApp,
    after: str | None = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """Jobs, newest first, all or with this metadata."""
    where = has_metadata(request, store, jobs.c.metadata)
    if "metadata" in request.query_params:
        where.append(_has_none(request.query_params["metadata"]))
    found = page(store, jobs, *where, after=after, limit=limit)
    return _listed([job_object(row, settings.organization) for row in found[0]], found[1])


def _has_none(metadata: str) -> Any:
    """The condition that `metadata=null` sets."""
    if metadata != "null":
        told = "metadata should be null; ask for a pair as metadata[key]=value"
        raise ApiError(400, told, "metadata", "invalid_value")
    return or_(jobs.c.metadata.is_(None), cast(jobs.c.metadata, String) == "{}")


@router.get("/{job_id}")
def retrieve_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """One job."""
    return job_object(life.find_job(store, job_id), settings.organization)


@router.post("/{job_id}/cancel")
def cancel_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """End a job; its worker lets go of it within a lease."""
    return job_object(life.cancel(store, job_id), settings.organization)


@router.post("/{job_id}/pause")
async def pause_job(
    job_id: str, request: Request, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """Ask for a stop with a checkpoint, and wait a minute for it; then it comes later.

    Who waits holds no thread: there are only so many, and every other request needs one.
    """
    await in_a_thread(life.ask_to_pause, store, job_id)
    until = time.monotonic() + PAUSE_WAIT_S
    row = await in_a_thread(life.find_job, store, job_id)
    while row["status"] == "running" and time.monotonic() < until:
        if await request.is_disconnected():
            break
        await asyncio.sleep(_LOOK_EVERY_S)
        row = await in_a_thread(life.find_job, store, job_id)
    return job_object(row, settings.organization)


@router.post("/{job_id}/resume")
def resume_job(job_id: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Let a paused job go on from its checkpoint, when its turn comes."""
    return job_object(life.resume(store, job_id), settings.organization)


@router.get("/{job_id}/events")
def list_events(
    request: Request, job_id: str, store: StoreOfApp, after: str | None = None, limit: Limit = 20
) -> dict[str, Any]:
    """What happened, newest first."""
    life.find_job(store, job_id)
    rows, more = page(store, events, events.c.job == job_id, after=after, limit=limit)
    return _listed([event_object(row) for row in rows], more)


@router.get("/{job_id}/checkpoints")
def list_checkpoints(
    request: Request, job_id: str, store: StoreOfApp, after: str | None = None, limit: Limit = 10
) -> dict[str, Any]:
    """The models of the last epochs, newest first."""
    life.find_job(store, job_id)
    rows, more = page(store, checkpoints, checkpoints.c.job == job_id, after=after, limit=limit)
    return envelope([checkpoint_object(row) for row in rows], has_more=more, none=None)


def _listed(rows: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """A list without first and last id, which those of jobs and events do not have."""
    whole = envelope(rows, has_more=has_more)
    return {key: whole[key] for key in ("object", "data", "has_more")}
