"""Who may ask: with a key, where keys are asked for."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tunewright.serve.answers import ApiError
from tunewright.serve.door.inside import MARK
from tunewright.serve.keys import are_keys, key_id
from tunewright.serve.refusing import refuse
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store

OPEN = ("/health",)


def asks_for_keys(settings: ServeSettings, store: Store) -> bool:
    """Whether a request needs a key: beyond loopback always, on it once a key was made."""
    if settings.require_keys is not None:
        return settings.require_keys
    return not settings.is_loopback or are_keys(store)


class KeyCheck:
    """Answers 401 before a body is read; notes the key's id for the log."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, store: Store) -> None:
        self._app = app
        self._settings = settings
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in OPEN or MARK in scope:
            await self._app(scope, receive, send)
            return
        word, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        given = key.strip() if word.lower() == "bearer" else ""
        allowed, identifier = await run_in_threadpool(self._check, given)
        if not allowed:
            told = "Incorrect API key provided" if given else "You didn't provide an API key"
            error = ApiError(
                401,
                f"{told}: send one that `tunewright keys create` made, as a Bearer token",
                None,
                "invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )
            await refuse(error, scope, receive, send)
            return
        scope["state"]["key_id"] = identifier
        await self._app(scope, receive, send)

    def _check(self, key: str) -> tuple[bool, str | None]:
        if not asks_for_keys(self._settings, self._store):
            return True, None
        found = key_id(self._store, key)
        return found is not None, found
