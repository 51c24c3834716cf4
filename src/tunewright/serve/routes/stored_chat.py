"""`/v1/chat/completions/{completion_id}`: completions that were stored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import Field

from tunewright.serve.answers import ApiError
from tunewright.serve.bodies import Body
from tunewright.serve.dependencies import StoreOfApp
from tunewright.serve.listing import envelope, has_metadata, page
from tunewright.serve.replies.chat_fields import MetadataKey, MetadataValue
from tunewright.serve.replies.stored_chats import KIND, stored
from tunewright.serve.strict_routes import PAIRS, new_router
from tunewright.serve.tables import objects

router = new_router("/v1/chat/completions")
Limit = Annotated[int, Query(ge=1, le=100)]
Order = Literal["asc", "desc"]


class Changed(Body):
    """What can be changed of a stored completion."""

    metadata: dict[MetadataKey, MetadataValue] | None = Field(max_length=16)


@router.get("", openapi_extra=PAIRS)
def list_completions(
    request: Request,
    store: StoreOfApp,
    after: str | None = None,
    limit: Limit = 20,
    order: Order = "asc",
    model: str | None = None,
) -> dict[str, Any]:
    """Those of a model, and with some metadata, where these are asked for."""
    where = [objects.c.kind == KIND]
    if model is not None:
        where.append(objects.c.body["told"]["model"].as_string() == model)
    where += has_metadata(request, store, objects.c.body["told"]["metadata"])
    rows, has_more = page(
        store, objects, *where, after=after, limit=limit, newest_first=order == "desc"
    )
    return envelope([row["body"]["told"] for row in rows], has_more=has_more)


@router.get("/{completion_id}")
def retrieve(completion_id: str, store: StoreOfApp) -> dict[str, Any]:
    """One of them."""
    told: dict[str, Any] = stored(store, completion_id)["told"]
    return told


@router.post("/{completion_id}")
def change(completion_id: str, body: Changed, store: StoreOfApp) -> dict[str, Any]:
    """With other metadata."""
    found = stored(store, completion_id)
    told = {**found["told"], "metadata": body.metadata or {}}
    store.change(objects, completion_id, body={**found, "told": told})
    return told


@router.delete("/{completion_id}")
def delete(completion_id: str, store: StoreOfApp) -> dict[str, Any]:
    """Forget it."""
    stored(store, completion_id)
    store.remove(objects, completion_id)
    return {"id": completion_id, "object": "chat.completion.deleted", "deleted": True}


@router.get("/{completion_id}/messages")
def list_messages(
    completion_id: str,
    store: StoreOfApp,
    after: str | None = None,
    limit: Limit = 20,
    order: Order = "asc",
) -> dict[str, Any]:
    """The messages that were answered."""
    messages = stored(store, completion_id)["messages"]
    messages = messages if order == "asc" else messages[::-1]
    ids = [each["id"] for each in messages]
    if after is not None and after not in ids:
        raise ApiError(400, f"'{after}' is not in this list", "after", "invalid_cursor")
    begin = 0 if after is None else ids.index(after) + 1
    return envelope(messages[begin : begin + limit], has_more=begin + limit < len(messages))
