"""Requests as an attacker writes them, byte for byte, and what comes back."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

TIMEOUT_S = 60


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        target: path and query, sent as they are.
        body: None for none; pieces are sent in chunks, of a length that nobody announces.
        announced: the length that is announced, where it is not that of the body.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] | None = None
    announced: int | None = None

    def with_headers(self, **headers: str) -> Request:
        """The same, with other headers; an underscore in a name is a dash."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})

    def without_key(self) -> Request:
        """The same without its key."""
        left = {key: value for key, value in self.headers.items() if key != "authorization"}
        return replace(self, headers=left)


@dataclass(frozen=True)
class Answer:
    """What came back; the names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """Of the body, as the API has it; nothing where it has none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        whole = isinstance(found, dict) and set(found) == {"error"}
        error = found["error"] if whole else None
        return error if isinstance(error, dict) else {}


def ask(port: int, request: Request) -> Answer:
    """Send it to this machine, and wait for the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(_head(port, request))
        _send_body(connection, request.body)
        response = http.client.HTTPResponse(connection, method=request.method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def _head(port: int, request: Request) -> bytes:
    headers = {"host": f"127.0.0.1:{port}", **request.headers}
    if isinstance(request.body, bytes) or request.announced is not None:
        length = len(request.body) if isinstance(request.body, bytes) else 0
        headers["content-length"] = str(request.announced or length)
    elif request.body is not None:
        headers["transfer-encoding"] = "chunked"
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _send_body(connection: socket.socket, body: bytes | Iterable[bytes] | None) -> None:
    if body is None or isinstance(body, bytes):
        connection.sendall(body or b"")
        return
    try:
        for piece in body:
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
    except OSError:
        pass  # it has heard enough: the answer is there
