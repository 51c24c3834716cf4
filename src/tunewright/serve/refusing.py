"""An answer to a request whose body nobody will read."""

from __future__ import annotations

import time

from starlette.types import Receive, Scope, Send

from tunewright.serve.answers import ApiError, error_response

DRAIN_S = 20.0


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, then throw away what still comes, for a while.

    A client that is still sending does not look at the answer, and a connection that is closed
    under it would take the answer along.
    """
    response = error_response(error)
    response.headers["connection"] = "close"
    start = {"type": "http.response.start", "status": error.status}
    await send({**start, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    until = time.monotonic() + DRAIN_S
    while time.monotonic() < until:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    await send({"type": "http.response.body", "body": b"", "more_body": False})
