"""Messages of a request as a template takes them: the same rules as for rows to train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.backends.conversation import Conversation, Message, read_row
from tunewright.data.chat.conversation import without_nulls, written
from tunewright.data.chat.rules import NOTES, problems
from tunewright.errors import DataError
from tunewright.serve.answers import ApiError

OF_LEARNING = ("format-no-assistant", "format-last", "nothing-learned", *NOTES)
"""What is wrong with a row that is to be learned, and not with a question."""
ECHOED: dict[str, tuple[Any, ...]] = {"annotations": ([], None), "audio": (None,)}
"""What the client gives back of an earlier answer, and the values that say nothing."""


def conversation(messages: Sequence[Any], tools: Sequence[Any] | None) -> Conversation:
    """Messages and tools, ready for a template.

    Raises:
        ApiError: one of them is wrong, with its place.
    """
    row: dict[str, Any] = {"messages": [_plain(message) for message in messages]}
    if tools:
        row["tools"] = without_nulls(tools)
    text = written(row)
    wrong = [found for found in problems(text) if found.code not in OF_LEARNING]
    if wrong:
        told = "; ".join(f"{each.field}: {each.message} ({each.fix})" for each in wrong[:5])
        raise ApiError(400, told, wrong[0].field, "invalid_value")
    try:
        found = read_row(text)
    except DataError as error:
        raise ApiError(400, f"messages {error.what}; {error.fix}", "messages") from None
    if not isinstance(found, Conversation):
        raise ApiError(400, "messages are no conversation", "messages")
    return found


def _plain(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    echoed = {key for key, nothing in ECHOED.items() if key in message and message[key] in nothing}
    return without_nulls({key: each for key, each in message.items() if key not in echoed})


def only_text(conversation: Conversation) -> str:
    """The text of the only message, as a classifier reads it.

    Raises:
        ApiError: there are more.
    """
    messages: Sequence[Message] = conversation.messages
    if len(messages) != 1 or messages[0]["role"] != "user":
        raise ApiError(
            400,
            "This model gives a text a label: send one message of role user, and no other",
            "messages",
            "invalid_value",
        )
    return str(messages[0].get("content", ""))
