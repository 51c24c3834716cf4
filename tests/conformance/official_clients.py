"""The two official clients, as one: the async one is waited for at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from awaiting import awaiting
from openai import OpenAI


@contextmanager
def official_client(
    kind: str, look: Callable[[httpx.Response], None], url: str, key: str
) -> Iterator[Any]:
    """Within, a client that asks once.

    Args:
        kind: sync or async. look: is shown every answer, once it is read.
    """
    given: dict[str, Any] = {"base_url": url, "api_key": key, "max_retries": 0, "timeout": 120}
    if kind == "async":
        with awaiting(look, **given) as client:
            yield client
        return

    def read(response: httpx.Response) -> None:
        response.read()
        look(response)

    with httpx.Client(event_hooks={"response": [read]}, timeout=120) as http:
        yield OpenAI(http_client=http, **given)
