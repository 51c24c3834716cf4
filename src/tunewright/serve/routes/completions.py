"""`POST /v1/completions`: texts that go on after a prompt, without turns."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool as in_a_thread

from tunewright.serve.answers import ApiError
from tunewright.serve.dependencies import EngineOfApp, SettingsOfApp, StoreOfApp
from tunewright.serve.engine.engine import Tell
from tunewright.serve.engine.places import find_place
from tunewright.serve.engine.speaker import Speaker
from tunewright.serve.engine.wish import Piece, Wish
from tunewright.serve.engine.writing import Writing
from tunewright.serve.identifiers import new_id
from tunewright.serve.replies.asked_fields import Drawing, refuse_ungranted
from tunewright.serve.replies.chat_answers import LEAST, usage_of
from tunewright.serve.replies.event_stream import DONE, event, stream
from tunewright.serve.replies.token_inputs import Input, as_inputs
from tunewright.serve.strict_routes import new_router

router = new_router("/v1/completions")
MOST_TOKENS = 16
"""Of an answer that says nothing of its length, as the hosted service has it."""
MOST_TEXTS = 2048
"""That one request may have written."""
GRANTED: dict[str, tuple[Any, ...]] = {"suffix": ("",)}


class CompletionBody(Drawing):
    """The body of the request."""

    prompt: str | list[Any] | None = None
    max_tokens: int | None = Field(None, ge=1)
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: bool | None = None
    best_of: int | None = Field(None, ge=1, le=20)
    suffix: Any = None


@router.post("", response_model=None)
async def create(
    body: CompletionBody,
    request: Request,
    engine: EngineOfApp,
    settings: SettingsOfApp,
    store: StoreOfApp,
) -> Response | dict[str, Any]:
    """What comes after each prompt."""
    _refuse(body)
    inputs = as_inputs(body.prompt, "prompt")
    if len(inputs) * (body.n or 1) > MOST_TEXTS:
        told = f"{len(inputs)} prompts with n = {body.n or 1} are more than {MOST_TEXTS:,} texts"
        raise ApiError(400, told, "n", "invalid_value")
    place = await in_a_thread(find_place, body.model, settings, store)
    if place.does != "writes":
        raise ApiError(400, f"The model `{body.model}` writes no texts", "model")
    prompts: list[str] = []

    def begin(speaker: Speaker, tell: Tell) -> list[Any]:
        ids = [
            speaker.ids(each, param="prompt") if isinstance(each, str) else tuple(each)
            for each in inputs
        ]
        prompts.extend(speaker.text(each) for each in ids)
        return speaker.begin(_wishes(body, ids), tell, param="prompt")

    writing = await engine.write(place, begin)
    head = {
        "id": new_id("completion"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": body.model,
    }
    if body.stream:
        return stream(_chunks(head, body, writing, prompts), writing.cancel)
    return await _whole(head, body, writing, prompts, request)


def _refuse(body: CompletionBody) -> None:
    refuse_ungranted(body, GRANTED)
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise ApiError(
            400,
            "best_of other than n cannot be honoured by this server: leave it out",
            "best_of",
            "unsupported_parameter",
        )
    if body.echo and body.logprobs is not None:
        raise ApiError(400, "echo with logprobs cannot be honoured by this server", "echo")


def _wishes(body: CompletionBody, prompts: Sequence[tuple[int, ...]]) -> list[Wish]:
    seed = secrets.randbits(63) if body.seed is None else body.seed & (2**64 - 1)
    n = body.n or 1
    return [
        Wish(
            prompt,
            most_tokens=MOST_TOKENS if body.max_tokens is None else body.max_tokens,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=seed,
            choice=number * n + choice,
            stops=body.stops,
            frequency_penalty=body.frequency_penalty or 0.0,
            presence_penalty=body.presence_penalty or 0.0,
            bias=body.logit_bias or {},
            told=body.logprobs,
        )
        for number, prompt in enumerate(prompts)
        for choice in range(n)
    ]


async def _whole(
    head: dict[str, Any],
    body: CompletionBody,
    writing: Writing,
    prompts: Sequence[Input],
    request: Request,
) -> dict[str, Any]:
    pieces: list[list[Piece]] = [[] for _ in writing.texts]
    async for piece in writing.pieces():
        pieces[piece.choice].append(piece)
        if await request.is_disconnected():
            writing.cancel()
            break
    choices = [_choice(index, each, body, prompts) for index, each in enumerate(pieces)]
    count = sum(each[-1].count for each in pieces if each)
    return {**head, "choices": choices, "usage": usage_of(_read(writing, body), count)}


def _read(writing: Writing, body: CompletionBody) -> int:
    """Tokens of the prompts, each counted once."""
    return sum(len(text.wish.prompt) for text in writing.texts) // (body.n or 1)


def _choice(
    index: int, pieces: list[Piece], body: CompletionBody, prompts: Sequence[Input], begun: int = 0
) -> dict[str, Any]:
    """An answer, or a part of one.

    Args:
        begun: letters that were told before.
    """
    text = "".join(piece.text for piece in pieces)
    before = str(prompts[index // (body.n or 1)]) if body.echo and not begun else ""
    tokens = [token for piece in pieces for token in piece.tokens]
    return {
        "index": index,
        "text": before + text,
        "logprobs": None if body.logprobs is None else _logprobs(tokens, begun),
        "finish_reason": pieces[-1].finish if pieces else None,
    }


def _logprobs(tokens: Sequence[Any], begun: int) -> dict[str, Any]:
    offsets, at = [], begun
    for each in tokens:
        offsets.append(at)
        at += len(each.text)
    return {
        "tokens": [each.text for each in tokens],
        "token_logprobs": [max(each.logarithm, LEAST) for each in tokens],
        "top_logprobs": [
            {other.text: max(other.logarithm, LEAST) for other in each.likeliest} for each in tokens
        ],
        "text_offset": offsets,
    }


async def _chunks(
    head: dict[str, Any], body: CompletionBody, writing: Writing, prompts: Sequence[Input]
) -> AsyncIterator[str]:
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    nothing = {"usage": None} if with_usage else {}
    begun, count = [0] * len(writing.texts), 0
    async for piece in writing.pieces():
        choice = _choice(piece.choice, [piece], body, prompts, begun[piece.choice])
        begun[piece.choice] += len(piece.text)
        count += piece.count if piece.finish else 0
        yield event({**head, "choices": [choice], **nothing})
    if with_usage:
        usage = usage_of(_read(writing, body), count)
        yield event({**head, "choices": [], "usage": usage})
    yield DONE
