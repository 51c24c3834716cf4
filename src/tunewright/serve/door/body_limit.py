"""No body is read that is larger than its path may take."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunewright.serve.files.multipart import too_large
from tunewright.serve.refusing import refuse
from tunewright.serve.settings import MIB, ServeSettings

MULTIPART_ROOM = MIB
"""For the other fields and the lines between, beside the file."""
MOST_PART = 64 * MIB


class BodyLimit:
    """Answers 413 by the length that is announced, or once more has come than may."""

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
            await refuse(too_large("body", most), scope, receive, send)
            return
        come, begun = 0, False

        async def receive_limited() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise too_large("body", most)
            return message

        async def send_unless_over(message: Message) -> None:
            nonlocal begun
            if come <= most or begun:  # what reads bodies says of every error that it is no JSON
                begun = True
                await send(message)

        await self._app(scope, receive_limited, send_unless_over)
        if come > most and not begun:
            await refuse(too_large("body", most), scope, receive, send)

    def _most_bytes(self, path: str) -> int:
        if path == "/v1/files":
            return self._settings.max_file_mib * MIB + MULTIPART_ROOM
        if path.startswith("/v1/uploads/") and path.endswith("/parts"):
            return MOST_PART + MULTIPART_ROOM
        return self._settings.max_body_mib * MIB
