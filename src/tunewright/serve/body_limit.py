"""No body is read that is larger than its path may take."""

from __future__ import annotations

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunewright.serve.answers import ApiError, error_response
from tunewright.serve.multipart import too_large
from tunewright.serve.settings import MIB, ServeSettings

MULTIPART_ROOM = MIB
"""For the other fields and the lines between, beside the file."""
MOST_PART = 64 * MIB
DRAIN_S = 20.0


class BodyLimit:
    """Answers 413 by the length that is announced, or once more has come than may.

    A client that is still sending does not look at the answer, and a closed connection would take
    the answer with it: what comes is thrown away for a while.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_bytes(scope["path"])
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdigit() or int(announced) > most:
            await _refuse(most, scope, receive, send)
            return
        come = 0

        async def receive_limited() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise too_large("body", most)
            return message

        await self._app(scope, receive_limited, send)

    def _most_bytes(self, path: str) -> int:
        if path == "/v1/files":
            return self._settings.max_file_mib * MIB + MULTIPART_ROOM
        if path.startswith("/v1/uploads/") and path.endswith("/parts"):
            return MOST_PART + MULTIPART_ROOM
        return self._settings.max_body_mib * MIB


async def _refuse(most: int, scope: Scope, receive: Receive, send: Send) -> None:
    error: ApiError = too_large("body", most)
    response = error_response(error)
    response.headers["connection"] = "close"
    await send(
        {"type": "http.response.start", "status": 413, "headers": response.raw_headers},
    )
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    until = time.monotonic() + DRAIN_S
    while time.monotonic() < until:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    await send({"type": "http.response.body", "body": b"", "more_body": False})
