"""One line for each request: what was asked and how it ended, never what was in it."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("tunewright.serve.access")


class AccessLog:
    """Writes address, method, path without its query, status, time, request and key id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            state = scope["state"]
            _log.info(
                "%s %s %r %s %.0f ms %s %s",
                (scope.get("client") or ("-",))[0],
                scope["method"],
                scope["path"],  # quoted: a path may hold what a terminal would obey
                status or 500,
                1000 * (time.monotonic() - started),
                state["request_id"],
                state.get("key_id") or "-",
            )
