"""Chat completions that are kept, because their request said `store`."""

from __future__ import annotations

from typing import Any

from tunewright.serve.answers import not_found
from tunewright.serve.identifiers import new_id
from tunewright.serve.replies.chat_fields import ChatBody
from tunewright.serve.store import Store
from tunewright.serve.tables import objects

KIND = "chat.completion"
KEPT = ("temperature", "top_p", "seed", "tools", "tool_choice", "response_format")
"""Fields of the request that are told with a stored completion."""


def keep(store: Store, body: ChatBody, whole: dict[str, Any]) -> dict[str, Any]:
    """The completion, once it is stored."""
    asked = body.model_dump(include=set(KEPT), by_alias=True)
    told = {**whole, **asked, "metadata": body.metadata or {}}
    messages = [_told(message) for message in body.messages]
    store.add(objects, id=whole["id"], kind=KIND, body={"told": told, "messages": messages})
    return told


def _told(message: dict[str, Any]) -> dict[str, Any]:
    """A message of the request, with an id; texts in parts are told beside it."""
    content = message.get("content")
    in_parts = isinstance(content, list)
    return {
        "id": new_id("message"),
        "refusal": None,
        **message,
        "content": None if in_parts else content,
        "content_parts": content if in_parts else None,
    }


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
