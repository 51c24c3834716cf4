"""The permissions of a checkpoint, also by a client that cannot page through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openai import OpenAI


def permissions_of(client: OpenAI, checkpoint: str) -> Iterator[Any]:
    """All of them, one a page; a client of 1.x has `retrieve` alone, which gives one page."""
    calls = client.fine_tuning.checkpoints.permissions
    if hasattr(calls, "list"):
        yield from calls.list(checkpoint, limit=1)
        return
    page = calls.retrieve(checkpoint, limit=1)
    yield from page.data
    while page.has_more and page.last_id is not None:
        page = calls.retrieve(checkpoint, limit=1, after=page.last_id)
        yield from page.data
