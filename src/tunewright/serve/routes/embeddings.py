"""`POST /v1/embeddings`: vectors of length one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field
from starlette.concurrency import run_in_threadpool as in_a_thread

from tunewright.backends.tokens import Tokens
from tunewright.serve.answers import ApiError
from tunewright.serve.bodies import Body
from tunewright.serve.dependencies import EngineOfApp, SettingsOfApp, StoreOfApp
from tunewright.serve.engine.places import find_place
from tunewright.serve.engine.too_long import refuse_endless
from tunewright.serve.replies.token_inputs import Input, as_inputs
from tunewright.serve.strict_routes import new_router

router = new_router("/v1/embeddings")
AT_ONCE = 32
"""Inputs that are read before those who wait for the next token of a text have their turn."""


class EmbeddingsBody(Body):
    """The body of the request."""

    input: str | list[Any]
    model: str
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, ge=1)
    user: str | None = None


@router.post("")
async def create(
    body: EmbeddingsBody, engine: EngineOfApp, settings: SettingsOfApp, store: StoreOfApp
) -> dict[str, Any]:
    """A vector of each input: the mean of what its tokens are to the model, of length one."""
    inputs = as_inputs(body.input, "input")
    place = await in_a_thread(find_place, body.model, settings, store)
    if place.does == "writes":
        raise ApiError(400, f"The model `{body.model}` writes texts, and gives no vectors", "model")
    coded = await engine.with_encoder(place, lambda each: _coded(each, inputs, body.dimensions))
    vectors: list[np.ndarray] = []
    for begin in range(0, len(coded), AT_ONCE):
        some = coded[begin : begin + AT_ONCE]
        vectors += await engine.with_encoder(place, partial(_vectors, rows=some))
    tokens = sum(map(len, coded))
    rows = [
        {"object": "embedding", "index": index, "embedding": _written(row, body.encoding_format)}
        for index, row in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": body.model, "usage": usage}


def _coded(encoder: Any, inputs: list[Input], dimensions: int | None) -> list[list[int]]:
    """The tokens that the model is to read.

    Raises:
        ApiError: it cannot read them, or gives no vectors of that width.
    """
    if dimensions not in (None, encoder.width):
        raise ApiError(
            400,
            f"This model gives vectors of {encoder.width} dimensions, and was not trained for fewer",
            "dimensions",
            "unsupported_parameter",
        )
    rows = [_tokens(encoder, each, _at(number, inputs)) for number, each in enumerate(inputs)]
    _refuse(encoder, rows)
    return rows


def _vectors(encoder: Any, rows: list[list[int]]) -> list[np.ndarray]:
    """Of each row, at length one."""
    lengths = [len(row) for row in rows]
    read = Tokens(
        ids=np.concatenate(rows).astype(np.int32),
        types=None,
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        padding=encoder.reader.padding,
    )
    found = encoder.vectors(read)
    return list(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def _tokens(encoder: Any, given: Input, param: str) -> list[int]:
    """With those that stand before and after each text."""
    tokenizer, longest = encoder.reader.tokenizer, encoder.reader.longest_input

    def coded(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, truncation=False, verbose=False)["input_ids"]
        return ids

    if isinstance(given, str):
        if longest is not None:
            refuse_endless(given, lambda some: len(coded(some)), longest=longest, param=param)
        return coded(given)
    whole = tokenizer("a")["input_ids"]
    alone = tokenizer("a", add_special_tokens=False)["input_ids"]
    begin = next(at for at in range(len(whole)) if whole[at : at + len(alone)] == alone)
    return [*whole[:begin], *given, *whole[begin + len(alone) :]]


def _refuse(encoder: Any, rows: list[list[int]]) -> None:
    longest, known = encoder.reader.longest_input, encoder.known_tokens
    for number, row in enumerate(rows):
        at = _at(number, rows)
        if not row:
            raise ApiError(400, f"{at} is empty", at, "invalid_value")
        if longest is not None and len(row) > longest:
            raise ApiError(
                400,
                f"{at} has {len(row):,} tokens, and this model reads {longest:,}",
                at,
                "context_length_exceeded",
            )
        if not 0 <= min(row) <= max(row) < known:
            raise ApiError(400, f"{at} has tokens that the model does not know", at)


def _at(number: int, of: Sequence[Any]) -> str:
    return f"input[{number}]" if len(of) > 1 else "input"


def _written(vector: np.ndarray, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return [float(each) for each in vector]
