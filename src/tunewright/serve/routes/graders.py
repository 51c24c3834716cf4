"""`/v1/fine_tuning/alpha/graders`: look at a grader, and try it on one answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import FastAPI, Request
from pydantic import Field

from tunewright.errors import ModelError
from tunewright.grading.description import LONGEST_TEXT, Grader, Multi, PythonCode
from tunewright.grading.grade import Means, grade, problems
from tunewright.grading.outcome import Usage, failed
from tunewright.grading.score import Judged, JudgeError
from tunewright.grading.templates import Sample
from tunewright.serve.answers import ApiError
from tunewright.serve.bodies import Body
from tunewright.serve.dependencies import SettingsOfApp
from tunewright.serve.door.inside import Answered, ask_inside
from tunewright.serve.grader_bodies import is_nested, read_grader
from tunewright.serve.settings import ServeSettings
from tunewright.serve.strict_routes import new_router

EMBEDDING_MODEL = "minilm"
"""Cosine is of this model's vectors."""
MOST_AT_ONCE = 8
"""Graders that are at work; others wait, and no other request waits for them."""


@asynccontextmanager
async def _threads(app: FastAPI) -> AsyncIterator[None]:
    app.state.grader_threads = CapacityLimiter(MOST_AT_ONCE)
    yield


router = new_router("/v1/fine_tuning/alpha/graders", lifespan=_threads)


class ValidateBody(Body):
    """What `validate` is asked with."""

    grader: dict[str, Any]


class RunBody(ValidateBody):
    """What `run` is asked with."""

    model_sample: str = Field(max_length=LONGEST_TEXT)
    item: dict[str, Any] | None = None


@router.post("/validate")
async def validate(body: ValidateBody, request: Request, settings: SettingsOfApp) -> dict[str, Any]:
    """The grader, where nothing is wrong with it."""
    grader = _allowed(read_grader(body.grader), settings)
    found = await to_thread.run_sync(problems, grader, limiter=_limiter(request))
    if found:
        raise ApiError(400, "; ".join(found), "grader", "invalid_grader")
    return {"grader": body.grader}


@router.post("/run")
async def run(body: RunBody, request: Request, settings: SettingsOfApp) -> dict[str, Any]:
    """The reward of one answer, and what went wrong on the way."""
    began = time.monotonic()
    if is_nested(body.grader):
        name = str(body.grader.get("name"))
        return failed(other_error=True).as_response(name, "multi", seconds=0.0)
    grader = _allowed(read_grader(body.grader), settings)
    means = Means(judge=_judge(request.app), embed=_embed(request.app))
    found = await to_thread.run_sync(
        lambda: grade(grader, Sample(body.model_sample), body.item or {}, means=means),
        limiter=_limiter(request),
    )
    return found.as_response(grader.name, grader.type, seconds=time.monotonic() - began)


def _allowed(grader: Grader, settings: ServeSettings) -> Grader:
    """The grader, unless its source is not to be run on this server."""
    inner = grader.graders.values() if isinstance(grader, Multi) else (grader,)
    if not settings.python_graders and any(isinstance(each, PythonCode) for each in inner):
        told = "This server runs no Python graders (it was started with --no-python-graders)"
        raise ApiError(400, told, "grader", "python_graders_off")
    return grader


def _limiter(request: Request) -> CapacityLimiter:
    found: CapacityLimiter = request.app.state.grader_threads
    return found


def _judge(app: FastAPI) -> Any:
    """Asks a model of this server, from a grader's thread."""

    def judge(model: str, messages: Sequence[Any], sampling: Mapping[str, Any]) -> Judged:
        asked = {"model": model, "messages": list(messages), **sampling}
        answered = from_thread.run(ask_inside, app, "/v1/chat/completions", asked)
        if not answered.is_good:
            raise JudgeError(answered.message)
        return _judged(answered)

    return judge


def _judged(answered: Answered) -> Judged:
    choice, used = answered.body["choices"][0], answered.body.get("usage") or {}
    message = choice["message"]
    text = None if message.get("refusal") else message.get("content") or ""
    usage = Usage(used.get("prompt_tokens", 0), used.get("completion_tokens", 0))
    return Judged(text, usage, is_cut=choice.get("finish_reason") == "length")


def _embed(app: FastAPI) -> Any:
    """Texts to the vectors of a model of this server."""

    def embed(texts: Sequence[str]) -> list[list[float]]:
        asked = {"model": EMBEDDING_MODEL, "input": list(texts), "encoding_format": "float"}
        answered = from_thread.run(ask_inside, app, "/v1/embeddings", asked)
        if not answered.is_good:
            raise ModelError(
                f"cosine needs the vectors of {EMBEDDING_MODEL}: {answered.message}",
                fix=f"tunewright models pull {EMBEDDING_MODEL}, or take another evaluation_metric",
            )
        return [row["embedding"] for row in answered.body["data"]]

    return embed
