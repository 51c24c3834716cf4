"""What comes before there is a request: heads that do not end, and what is no HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tunewright.serve.answers import ApiError, error_response
from tunewright.serve.identifiers import new_id


def protocol_with(patience_s: float) -> type[H11Protocol]:
    """What uvicorn speaks HTTP by, where every head is there within so many seconds."""

    class PatientProtocol(H11Protocol):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self._closing: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def handle_events(self) -> None:
            super().handle_events()
            if self.cycle is not None and not self.cycle.response_complete:
                self._wait_no_more()

        def on_response_complete(self) -> None:
            self._wait()
            super().on_response_complete()  # which may begin with the next request

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            answer = error_response(ApiError(400, f"No HTTP/1.1: {msg}", None, "invalid_http"))
            named = ((b"x-request-id", new_id("request").encode()), (b"connection", b"close"))
            for event in (
                h11.Response(status_code=400, headers=[*answer.raw_headers, *named]),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _wait(self) -> None:
            self._wait_no_more()
            self._closing = self.loop.call_later(patience_s, self.transport.close)

        def _wait_no_more(self) -> None:
            if self._closing is not None:
                self._closing.cancel()
                self._closing = None

    return PatientProtocol
