"""So many requests a minute of one address, and no more."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from tunewright.serve.answers import ApiError
from tunewright.serve.door.inside import MARK
from tunewright.serve.refusing import refuse
from tunewright.serve.settings import ServeSettings

MOST_KNOWN = 10_000
"""Addresses that are remembered; the one that was silent longest is forgotten."""


class RateLimit:
    """A bucket for each address, which fills evenly; 429 says when to come again."""

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._most = float(settings.requests_per_minute)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or MARK in scope:
            await self._app(scope, receive, send)
            return
        wait_s = self.wait_s((scope.get("client") or ("",))[0])
        if wait_s <= 0:
            await self._app(scope, receive, send)
            return
        error = ApiError(
            429,
            f"More than {self._most:.0f} requests a minute; try again in {wait_s:.1f} s",
            None,
            "rate_limit_exceeded",
            headers={"retry-after": str(math.ceil(wait_s))},
        )
        await refuse(error, scope, receive, send)

    def wait_s(self, address: str) -> float:
        """Take one request out of an address's bucket; else the seconds until there is one."""
        now = self._clock()
        left, since = self._buckets.pop(address, (self._most, now))
        left = min(self._most, left + (now - since) * self._most / 60)
        taken = left >= 1
        self._buckets[address] = (left - 1 if taken else left, now)
        while len(self._buckets) > MOST_KNOWN:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - left) * 60 / self._most
