"""`/v1/batches`: many requests in a file, answered one after the other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from tunewright.serve.answers import ApiError
from tunewright.serve.batches import batches
from tunewright.serve.batches.batch_lines import ENDPOINTS
from tunewright.serve.batches.batch_runner import running
from tunewright.serve.bodies import Body
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.files import stored_files
from tunewright.serve.files.file_rules import LEAST_LIFE_S, MOST_LIFE_S
from tunewright.serve.listing import envelope, page
from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import objects

router = new_router("/v1/batches", lifespan=running)

MOST_PAIRS = 16
Key = Annotated[str, Field(max_length=64)]
Value = Annotated[str, Field(max_length=512)]


class Life(Body):
    """How long the files of answers stay."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=LEAST_LIFE_S, le=MOST_LIFE_S)


class BatchBody(Body):
    """What a batch is made with."""

    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"]
    metadata: dict[Key, Value] | None = Field(None, max_length=MOST_PAIRS)
    output_expires_after: Life | None = None


@router.post("")
async def create(
    body: BatchBody, request: Request, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """A batch over a file; its lines are looked at afterwards."""
    if body.endpoint not in ENDPOINTS:
        told = f"endpoint should be one of {', '.join(ENDPOINTS)}"
        raise ApiError(400, told, "endpoint", "invalid_value")
    file_id = body.input_file_id
    file = await run_in_threadpool(
        stored_files.find, settings, store, file_id, param="input_file_id"
    )
    if file["purpose"] != "batch":
        told = f"{file_id} was uploaded for {file['purpose']}; the file of a batch is for batch"
        raise ApiError(400, told, "input_file_id", "invalid_file_purpose")
    row = await run_in_threadpool(batches.new_batch, store, body.model_dump())
    request.app.state.batch_wanted.set()
    return batches.as_object(row["body"])


@router.get("")
def list_batches(
    request: Request,
    store: StoreOfApp,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """The batches, newest first."""
    where = objects.c.kind == batches.KIND
    rows, more = page(store, objects, where, after=after, limit=limit)
    return envelope([batches.as_object(row["body"]) for row in rows], has_more=more)


@router.get("/{batch_id}")
def retrieve(batch_id: str, store: StoreOfApp) -> dict[str, Any]:
    """One batch."""
    return batches.as_object(batches.find(store, batch_id)["body"])


@router.post("/{batch_id}/cancel")
def cancel(batch_id: str, store: StoreOfApp) -> dict[str, Any]:
    """Stop it; what is answered already stays."""
    return batches.cancel(store, batch_id)
