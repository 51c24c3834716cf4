"""Server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from tunewright.serve.answers import ApiError, error_body

DONE = "data: [DONE]\n\n"


def event(body: dict[str, Any], name: str | None = None) -> str:
    """One event, with its name where it has one."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


class EventStream(StreamingResponse):
    """Events until the last, or until whoever asked goes away, even before the first.

    Args:
        ended: is called then.
    """

    def __init__(self, events: AsyncIterator[str], ended: Callable[[], None]) -> None:
        head = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(_with_errors(events), media_type="text/event-stream", headers=head)
        self.ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `StreamingResponse`."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ended()


def stream(events: AsyncIterator[str], ended: Callable[[], None] = lambda: None) -> EventStream:
    """The answer to a request that wants a stream; what fails in it is told in it."""
    return EventStream(events, ended)


async def _with_errors(events: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for each in events:
            yield each
    except ApiError as error:
        yield event(error_body(error))
