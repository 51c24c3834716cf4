"""Server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

from tunewright.serve.answers import ApiError, error_body

DONE = "data: [DONE]\n\n"


def event(body: dict[str, Any], name: str | None = None) -> str:
    """One event, with its name where it has one."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


def stream(events: AsyncIterator[str]) -> StreamingResponse:
    """The answer to a request that wants a stream; what fails in it is told in it."""
    return StreamingResponse(
        _with_errors(events),
        media_type="text/event-stream",
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )


async def _with_errors(events: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for each in events:
            yield each
    except ApiError as error:
        yield event(error_body(error))
