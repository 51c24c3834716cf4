"""`/v1/responses`"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool as in_a_thread

from tunewright.serve.answers import ApiError, error_body, not_found
from tunewright.serve.dependencies import EngineOfApp, SettingsOfApp, StoreOfApp
from tunewright.serve.engine.places import find_place
from tunewright.serve.listing import envelope
from tunewright.serve.replies.asked_fields import refuse_ungranted
from tunewright.serve.replies.chat_asking import ask
from tunewright.serve.replies.chat_prompt import conversation
from tunewright.serve.replies.event_stream import stream
from tunewright.serve.replies.response_answers import ResponseAnswer
from tunewright.serve.replies.response_following import Following
from tunewright.serve.replies.response_items import Item, items_of, messages_of
from tunewright.serve.replies.responses_fields import GRANTED, ResponseBody, as_chat
from tunewright.serve.store import Store
from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import objects

router = new_router("/v1/responses")
KIND = "response"


@router.post("", response_model=None)
async def create(
    body: ResponseBody,
    request: Request,
    engine: EngineOfApp,
    settings: SettingsOfApp,
    store: StoreOfApp,
) -> Response | dict[str, Any]:
    """What the model says to the items."""
    items = await in_a_thread(_asked, body, store)
    messages = messages_of(items, body.instructions)
    chat = as_chat(body, messages)
    asked = conversation(messages, chat.tools if body.tool_choice != "none" else None)
    place = await in_a_thread(find_place, body.model, settings, store)
    if place.does != "writes":
        raise ApiError(400, f"The model `{body.model}` writes no texts", "model")
    writing, calling = await ask(engine, place, chat, asked)
    following = Following(ResponseAnswer(body), writing, calling)
    if body.stream:
        return stream(_events(following, items, store), writing.cancel)
    async for _ in following.pieces():
        if await request.is_disconnected():
            writing.cancel()
            break
    return await in_a_thread(_kept, following, items, store)


def _asked(body: ResponseBody, store: Store) -> list[Item]:
    """All items that lead to the answer.

    Raises:
        ApiError: there is no such earlier response, or something else cannot be granted.
    """
    refuse_ungranted(body, GRANTED)
    before: list[Item] = []
    if body.previous_response_id is not None:
        earlier = _stored(store, body.previous_response_id, "previous_response_id")
        before = [*earlier["items"], *earlier["response"]["output"]]
    return [*before, *items_of(body.input)]


def _kept(following: Following, items: list[Item], store: Store) -> dict[str, Any]:
    """The response, once it is stored where it is to be."""
    whole = following.whole()
    if whole["store"]:
        store.add(objects, id=whole["id"], kind=KIND, body={"response": whole, "items": items})
    return whole


async def _events(following: Following, items: list[Item], store: Store) -> AsyncIterator[str]:
    answer, began = following.answer, False
    for kind in ("response.created", "response.in_progress"):
        yield answer.event(kind, response=answer.whole("in_progress"))
    try:
        async for text, logprobs in following.pieces():
            if text and not began:
                began = True
                for each in answer.begins_message():
                    yield each
            if text:
                yield answer.text(text, logprobs)
    except ApiError as error:
        told = {
            "code": error.code or "server_error",
            "message": error_body(error)["error"]["message"],
        }
        yield answer.event("response.failed", response=answer.whole("failed", error=told))
        return
    for each in _end_events(following, began):
        yield each
    whole = await in_a_thread(_kept, following, items, store)
    yield answer.event(f"response.{following.status}", response=whole)


def _end_events(following: Following, began: bool) -> list[str]:
    answer, output = following.answer, following.output
    events: list[str] = []
    for index, item in enumerate(output):
        if item["type"] == "message":
            events += [] if began else answer.begins_message()
            events += answer.ends_message(item)
        else:
            events += answer.call(index, item)
    return events


@router.post("/input_tokens")
async def count_tokens(
    body: ResponseBody, engine: EngineOfApp, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """How many tokens the model would read."""
    items = await in_a_thread(_asked, body, store)
    messages = messages_of(items, body.instructions)
    asked = conversation(messages, as_chat(body, messages).tools)
    place = await in_a_thread(find_place, body.model, settings, store)
    if place.does != "writes":
        raise ApiError(400, f"The model `{body.model}` writes no texts", "model")
    prompt = await engine.with_speaker(place, lambda s: s.prompt(asked.messages, asked.tools))
    return {"object": "response.input_tokens", "input_tokens": len(prompt)}


@router.get("/{response_id}")
def retrieve(response_id: str, store: StoreOfApp, stream: bool = False) -> dict[str, Any]:
    """A stored response."""
    if stream:
        raise ApiError(400, "a stored response is given whole: leave stream out", "stream")
    found: dict[str, Any] = _stored(store, response_id, "response_id")["response"]
    return found


@router.delete("/{response_id}")
def delete(response_id: str, store: StoreOfApp) -> dict[str, Any]:
    """Forget a response."""
    _stored(store, response_id, "response_id")
    store.remove(objects, response_id)
    return {"id": response_id, "object": "response", "deleted": True}


@router.post("/{response_id}/cancel")
def cancel(response_id: str, store: StoreOfApp) -> dict[str, Any]:
    """Only responses in the background can be cancelled, and there are none."""
    _stored(store, response_id, "response_id")
    raise ApiError(400, "Only responses in the background can be cancelled", "response_id")


@router.get("/{response_id}/input_items")
def list_input_items(
    response_id: str,
    store: StoreOfApp,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """The items that a stored response was asked with."""
    items = _stored(store, response_id, "response_id")["items"]
    items = items if order == "asc" else items[::-1]
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise ApiError(400, f"'{after}' is not in this list", "after", "invalid_cursor")
    begin = 0 if after is None else ids.index(after) + 1
    return envelope(items[begin : begin + limit], has_more=begin + limit < len(items))


def _stored(store: Store, identifier: str, param: str) -> dict[str, Any]:
    row = store.get(objects, identifier)
    if row is None or row["kind"] != KIND:
        raise not_found("response", identifier, param=param)
    found: dict[str, Any] = row["body"]
    return found
