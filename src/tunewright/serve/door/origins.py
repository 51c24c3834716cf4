"""Under which name, and from which web pages, a server may be asked.

A page of any site can make a visitor's browser send requests to this machine. Those that come from
another page, or under a name that is not the server's (a name that was pointed here to pass for its
own), are refused, with or without a key.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tunewright.serve.answers import ApiError
from tunewright.serve.refusing import refuse
from tunewright.serve.settings import LOOPBACK, ServeSettings

_ANY = ("0.0.0.0", "::", "")  # noqa: S104 -- compared with, not bound to


class OriginCheck:
    """Answers 403 to what comes under another name, or from another page."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._knows_host(host):
            told = f"This server is not called {host[:100]!r}; name it with --hosts"
            await refuse(ApiError(403, told, None, "host_not_allowed"), scope, receive, send)
        elif origin is not None and not self._knows_origin(origin, host):
            told = f"Pages of {origin[:100]!r} may not ask this server; name them with --origins"
            await refuse(ApiError(403, told, None, "origin_not_allowed"), scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _knows_host(self, host: str) -> bool:
        name = _name(host)
        own = (*LOOPBACK, self._settings.host, *self._settings.hosts)
        if self._settings.host in _ANY and (_is_address(name) or name == _machine()):
            return True  # an address cannot be pointed elsewhere, as a name can
        return bool(name) and name in own

    def _knows_origin(self, origin: str, host: str) -> bool:
        if origin in self._settings.origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc == host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _machine() -> str:
    return socket.gethostname().lower()


def _name(host: str) -> str:
    """A Host header without its port.

    >>> _name("[::1]:80"), _name("localhost:8000"), _name("[::1].evil.example")
    ('::1', 'localhost', '')
    """
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name if not port or port.startswith(":") else ""
    return host.partition(":")[0].lower()
