"""Chat completions that are kept, because their request said `store`."""

from __future__ import annotations

from typing import Any

from tunewright.serve.answers import not_found
from tunewright.serve.chat_fields import ChatBody
from tunewright.serve.identifiers import new_id
from tunewright.serve.store import Store
from tunewright.serve.tables import objects

KIND = "chat.completion"
KEPT = ("temperature", "top_p", "seed", "tools", "tool_choice", "response_format")
"""Fields of the request that are told with a stored completion."""


def keep(store: Store, body: ChatBody, whole: dict[str, Any]) -> dict[str, Any]:
    """The completion, once it is stored."""
    asked = body.model_dump(include=set(KEPT), by_alias=True)
    told = {**whole, **asked, "metadata": body.metadata or {}}
    messages = [{"id": new_id("message"), **each} for each in body.messages]
    store.add(objects, id=whole["id"], kind=KIND, body={"told": told, "messages": messages})
    return told


def stored(store: Store, identifier: str) -> dict[str, Any]:
    """{"told": the completion, "messages": those of the request}.

    Raises:
        ApiError: there is none of this id.
    """
    row = store.get(objects, identifier)
    if row is None or row["kind"] != KIND:
        raise not_found("chat completion", identifier, param="completion_id")
    found: dict[str, Any] = row["body"]
    return found
