"""The async client, used like the other: each call is waited for, so that a statement is asked of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from openai import AsyncOpenAI

_END = object()


@contextmanager
def awaiting(look: Callable[[httpx.Response], None], **settings: Any) -> Iterator[Any]:
    """Within, an async client in a loop of its own.

    Args:
        look: is shown every answer, once it is read.
        settings: of the client.
    """

    async def read(response: httpx.Response) -> None:
        await response.aread()
        look(response)

    async def open_client() -> AsyncOpenAI:
        http = httpx.AsyncClient(event_hooks={"response": [read]}, timeout=120)
        return AsyncOpenAI(http_client=http, **settings)

    with start_blocking_portal() as portal:
        client = portal.call(open_client)
        try:
            yield Awaited(client, portal)
        finally:
            portal.call(client.close)


class Awaited:
    """A part of an async client, or a list or a stream that it gave."""

    def __init__(self, inner: Any, portal: BlockingPortal) -> None:
        self._inner, self._portal = inner, portal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._call(found) if callable(found) else self._plain(found)

    def __iter__(self) -> Iterator[Any]:
        steps = self._inner.__aiter__()

        async def following() -> Any:
            return await anext(steps, _END)

        while (each := self._portal.call(following)) is not _END:
            yield each

    def _call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            async def wait() -> Any:
                made = function(*given, **named)
                return await made if isawaitable(made) else made

            return self._plain(self._portal.call(wait))

        return call

    def _plain(self, value: Any) -> Any:
        """The value, or what waits for it where it is of the async client."""
        kind = type(value)
        is_async = hasattr(kind, "__aiter__") or kind.__name__.startswith("Async")
        return Awaited(value, self._portal) if is_async else value
