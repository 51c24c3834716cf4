"""Every answer has an id, also the one to a request that broke the server's code."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tunewright.serve.answers import ApiError, error_response
from tunewright.serve.identifiers import new_id

_log = logging.getLogger("tunewright.serve")


class RequestIds:
    """Adds `x-request-id`; turns what nobody caught into a 500 that tells nothing of the inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id("request")
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets an answer
            _log.exception("%s failed", request_id)
            if not started:
                failed = ApiError(
                    500,
                    f"The server failed on this request; its log names {request_id}",
                    None,
                    "server_error",
                )
                await error_response(failed)(scope, receive, send_with_id)
