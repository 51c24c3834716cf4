"""No body is read that is larger than its path may take, or comes more slowly than a body may."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunewright.serve.answers import ApiError
from tunewright.serve.files.multipart import too_large
from tunewright.serve.refusing import refuse
from tunewright.serve.settings import MIB, ServeSettings

MULTIPART_ROOM = MIB
"""For the other fields and the lines between, beside the file."""
MOST_PART = 64 * MIB
LEAST_BYTES_PER_S = 16 << 10
"""Each of them buys a body a second more."""


class BodyLimit:
    """Answers 413 by the length that is announced, or once more has come than may; 408 to who waits."""

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
        if not announced.isdecimal() or int(announced) > most:
            await refuse(too_large("body", most), scope, receive, send)
            return
        body = _Body(receive, most, self._settings.patience_s)
        begun = False

        async def send_unless_refused(message: Message) -> None:
            nonlocal begun
            if body.error is None or begun:  # what reads bodies says of every error: it is no JSON
                begun = True
                await send(message)

        await self._app(scope, body.receive, send_unless_refused)
        if body.error is not None and not begun:
            await refuse(body.error, scope, receive, send)

    def _most_bytes(self, path: str) -> int:
        if path == "/v1/files":
            return self._settings.max_file_mib * MIB + MULTIPART_ROOM
        if path.startswith("/v1/uploads/") and path.endswith("/parts"):
            return MOST_PART + MULTIPART_ROOM
        return self._settings.max_body_mib * MIB


class _Body:
    """What comes of one request.

    Args:
        patience_s: that the server waits in all, and longer the more has come.
    """

    def __init__(self, receive: Receive, most: int, patience_s: float) -> None:
        self._receive, self._most, self._patience_s = receive, most, patience_s
        self._come, self._waited_s, self._is_whole = 0, 0.0, False
        self.error: ApiError | None = None

    async def receive(self) -> Message:
        """The next of it.

        Raises:
            ApiError: there is too much of it, or it comes too slowly; `error` is the same.
        """
        if self._is_whole:  # what comes now is that the client went away
            return await self._receive()
        began = time.monotonic()
        left_s = self._patience_s + self._come / LEAST_BYTES_PER_S - self._waited_s
        try:
            async with asyncio.timeout(left_s):
                message = await self._receive()
        except TimeoutError:
            self.error = ApiError(408, "The body comes too slowly", None, "request_timeout")
            raise self.error from None
        self._waited_s += time.monotonic() - began
        self._come += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._come > self._most:
            self.error = too_large("body", self._most)
            raise self.error
        return message
