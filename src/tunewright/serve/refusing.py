"""An answer to a request whose body nobody will read."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import Receive, Scope, Send

from tunewright.serve.answers import ApiError, error_response

DRAIN_S = 20.0
SILENCE_S = 2.0


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, then throw away what still comes, for a while, or until nothing comes.

    A client that is still sending does not look at the answer, and a connection that is closed
    under it would take the answer along.
    """
    response = error_response(error)
    response.headers["connection"] = "close"
    start = {"type": "http.response.start", "status": error.status}
    await send({**start, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while await _comes_more(receive):
                pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _comes_more(receive: Receive) -> bool:
    async with asyncio.timeout(SILENCE_S):
        message = await receive()
    return message["type"] == "http.request" and bool(message.get("more_body"))
