"""`POST /v1/chat/completions`"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool as in_a_thread

from tunewright.serve.answers import ApiError
from tunewright.serve.dependencies import EngineOfApp, SettingsOfApp, StoreOfApp
from tunewright.serve.engine.places import find_place
from tunewright.serve.engine.wish import Piece
from tunewright.serve.engine.writing import Writing
from tunewright.serve.replies.asked_fields import refuse_ungranted
from tunewright.serve.replies.chat_answers import (
    ChatAnswer,
    call_of,
    choice_of,
    logprobs_of,
    usage_of,
)
from tunewright.serve.replies.chat_asking import Calling, ask
from tunewright.serve.replies.chat_fields import GRANTED, ChatBody
from tunewright.serve.replies.chat_prompt import conversation
from tunewright.serve.replies.classifying import classified
from tunewright.serve.replies.event_stream import DONE, event, stream
from tunewright.serve.replies.stored_chats import keep
from tunewright.serve.strict_routes import new_router

router = new_router("/v1/chat")


@router.post("/completions", response_model=None)
async def create(
    body: ChatBody,
    request: Request,
    engine: EngineOfApp,
    settings: SettingsOfApp,
    store: StoreOfApp,
) -> Response | dict[str, Any]:
    """An answer to messages."""
    _refuse(body)
    asked = conversation(body.messages, body.tools if body.tool_choice != "none" else None)
    place = await in_a_thread(find_place, body.model, settings, store)
    if place.does != "writes":
        return await classified(body, asked, place, engine)
    writing, calling = await ask(engine, place, body, asked)
    answer = ChatAnswer(body.model)
    if body.stream:
        return stream(_chunks(answer, body, writing, calling), writing.cancel)
    whole = await _whole(answer, body, writing, calling, request)
    return await in_a_thread(keep, store, body, whole) if body.store else whole


def _refuse(body: ChatBody) -> None:
    refuse_ungranted(body, GRANTED)
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise ApiError(400, "max_tokens and max_completion_tokens are both given", "max_tokens")
    if body.top_logprobs is not None and not body.logprobs:
        raise ApiError(400, "top_logprobs without logprobs", "top_logprobs", "invalid_value")
    if body.stream and body.store:
        raise ApiError(400, "a stream is not stored: leave store out", "store")
    if body.metadata and not body.store:
        raise ApiError(400, "metadata is kept of stored completions: set store", "metadata")


async def _whole(
    answer: ChatAnswer, body: ChatBody, writing: Writing, calling: Calling, request: Request
) -> dict[str, Any]:
    pieces: list[list[Piece]] = [[] for _ in writing.texts]
    async for piece in writing.pieces():
        pieces[piece.choice].append(piece)
        if await request.is_disconnected():
            writing.cancel()
            break
    choices = [_choice(index, each, body, calling) for index, each in enumerate(pieces)]
    count = sum(each[-1].count for each in pieces if each)
    return answer.whole(choices, usage_of(writing.prompt_tokens, count))


def _choice(index: int, pieces: list[Piece], body: ChatBody, calling: Calling) -> dict[str, Any]:
    text, calls = "".join(piece.text for piece in pieces), list[dict[str, Any]]()
    finish = str(pieces[-1].finish) if pieces else "stop"
    if calling is not None:
        said = calling[index].take(text)
        rest, found = calling[index].end()
        text, calls = said + rest, [call_of(call) for call in found]
        finish = "tool_calls" if calls else finish
    tokens = [token for piece in pieces for token in piece.tokens]
    told = logprobs_of(tokens) if body.logprobs else None
    return choice_of(index, text, finish, calls=calls, logprobs=told)


async def _chunks(
    answer: ChatAnswer, body: ChatBody, writing: Writing, calling: Calling
) -> AsyncIterator[str]:
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    nothing = {"usage": None} if with_usage else {}
    for index in range(len(writing.texts)):
        begun = {"role": "assistant", "content": "", "refusal": None}
        yield event({**answer.chunk(begun, index=index), **nothing})
    count = 0
    async for piece in writing.pieces():
        for chunk in _of_piece(answer, body, piece, calling):
            yield event({**chunk, **nothing})
        count += piece.count if piece.finish else 0
    if with_usage:
        usage = usage_of(writing.prompt_tokens, count)
        yield event({**answer.chunk(), "usage": usage})
    yield DONE


def _of_piece(
    answer: ChatAnswer, body: ChatBody, piece: Piece, calling: Calling
) -> list[dict[str, Any]]:
    text, calls = piece.text, list[dict[str, Any]]()
    if calling is not None:
        text = calling[piece.choice].take(text)
        if piece.finish:
            rest, found = calling[piece.choice].end()
            text, calls = text + rest, [call_of(call) for call in found]
    told = logprobs_of(piece.tokens) if body.logprobs else None
    chunks = []
    if text or (told and piece.tokens):
        chunks.append(answer.chunk({"content": text}, index=piece.choice, logprobs=told))
    for number, call in enumerate(calls):
        delta = {"tool_calls": [{"index": number, **call}]}
        chunks.append(answer.chunk(delta, index=piece.choice))
    if piece.finish:
        finish = "tool_calls" if calls else piece.finish
        chunks.append(answer.chunk({}, index=piece.choice, finish=finish))
    return chunks
