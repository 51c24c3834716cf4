"""`/v1/responses`"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool as in_a_thread

from tunewright.serve.answers import ApiError, error_body, not_found
from tunewright.serve.asked_fields import refuse_ungranted
from tunewright.serve.chat_answers import call_of, logprobs_of
from tunewright.serve.chat_asking import Calling, ask
from tunewright.serve.chat_prompt import conversation
from tunewright.serve.dependencies import EngineOfApp, SettingsOfApp, StoreOfApp
from tunewright.serve.engine.places import find_place
from tunewright.serve.engine.wish import Piece, Told
from tunewright.serve.engine.writing import Writing
from tunewright.serve.event_stream import stream
from tunewright.serve.listing import envelope
from tunewright.serve.response_answers import ResponseAnswer, response_usage
from tunewright.serve.response_items import Item, call_item, items_of, message_item, messages_of
from tunewright.serve.responses_fields import GRANTED, ResponseBody, as_chat
from tunewright.serve.store import Store
from tunewright.serve.tables import objects

router = APIRouter(prefix="/v1/responses")
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
    following = _Following(ResponseAnswer(body), writing, calling)
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


class _Following:
    """A response that is being written, and what it consists of so far."""

    def __init__(self, answer: ResponseAnswer, writing: Writing, calling: Calling) -> None:
        self.answer, self.writing = answer, writing
        self._calls = None if calling is None else calling[0]
        self.text, self.tokens = "", list[Told]()
        self.calls: list[Item] = []
        self.last: Piece | None = None

    async def pieces(self) -> AsyncIterator[tuple[str, list[Item]]]:
        """New text, and the likelihoods of its tokens."""
        async for piece in self.writing.pieces():
            text = piece.text if self._calls is None else self._calls.take(piece.text)
            if piece.finish and self._calls is not None:
                rest, calls = self._calls.end()
                text += rest
                self.calls = [call_item(call_of(call)) for call in calls]
            self.last = piece
            self.text += text
            self.tokens += piece.tokens
            yield text, logprobs_of(piece.tokens)["content"]

    @property
    def status(self) -> str:
        """Whether it is whole."""
        cut = self.last is not None and self.last.finish == "length" and not self.calls
        return "incomplete" if cut else "completed"

    @property
    def output(self) -> list[Item]:
        """The message, if there is one, and the calls."""
        told = logprobs_of(self.tokens)["content"]
        message = message_item(self.answer.message_id, self.text, told, self.status)
        return [*([message] if self.text or not self.calls else []), *self.calls]

    def whole(self) -> dict[str, Any]:
        """The response."""
        count = 0 if self.last is None else self.last.count
        usage = response_usage(self.writing.prompt_tokens, count)
        return self.answer.whole(self.status, self.output, usage)


def _kept(following: _Following, items: list[Item], store: Store) -> dict[str, Any]:
    """The response, once it is stored where it is to be."""
    whole = following.whole()
    if whole["store"]:
        store.add(objects, id=whole["id"], kind=KIND, body={"response": whole, "items": items})
    return whole


async def _events(following: _Following, items: list[Item], store: Store) -> AsyncIterator[str]:
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


def _end_events(following: _Following, began: bool) -> list[str]:
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
