"""The server asks itself: batches and graders go through the same routes as requests from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

MARK = "tunewright.inside"
"""Stands in the scope of such a request, where nobody outside can put it: no key is asked for."""


@dataclass(frozen=True)
class Answered:
    """What a route answered.

    Args:
        request_id: the answer's `x-request-id`.
    """

    status: int
    body: dict[str, Any]
    request_id: str

    @property
    def is_good(self) -> bool:
        """Whether it is no error."""
        return self.status < 400

    @property
    def message(self) -> str:
        """Of an error."""
        error = self.body.get("error")
        return str(error.get("message")) if isinstance(error, Mapping) else f"status {self.status}"


async def ask_inside(
    app: ASGIApp, path: str, body: Mapping[str, Any], *, gone: asyncio.Event | None = None
) -> Answered:
    """POST a body to a route of this app.

    Args:
        gone: once it is set, the route sees that nobody waits for its answer any more.
    """
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    sent = False
    gone = gone or asyncio.Event()
    headers, parts, status = list[tuple[bytes, bytes]](), list[bytes](), 500

    async def receive() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": data, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend(message.get("headers", []))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(_scope(path, len(data)), receive, send)
    found = {name.decode().lower(): value.decode() for name, value in headers}
    return Answered(status, _parsed(b"".join(parts)), found.get("x-request-id", ""))


def _scope(path: str, length: int) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"content-length", str(length).encode()),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
        MARK: True,
    }


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
