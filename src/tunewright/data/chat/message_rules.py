"""What a single message must be: its role, its content, its weight, and no key but the known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunewright.data.chat.call_rules import call_problems
from tunewright.data.chat.problem import (
    SHOWN_CHARACTERS,
    Problem,
    is_said,
    key_shown,
    kind_of,
    quoted,
)

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
TEXT_KEYS = ("name", "refusal", "reasoning_content")
CALLS = ("tool_calls", "function_call")
KEYS = ("role", "content", *TEXT_KEYS, *CALLS, "tool_call_id", "weight")
MAY_BE_EMPTY = ("tool", "function")
"""Roles of what a function answered, which can be nothing."""


def message_problems(message: Any, field: str) -> Iterator[Problem]:
    """What is wrong with a message by itself.

    Args:
        field: where it is, such as messages[2].
    """
    if not isinstance(message, Mapping):
        yield Problem(
            "format-message",
            field,
            f"the message is {kind_of(message)}, not an object",
            'write it as {"role": "user", "content": "…"}',
        )
        return
    yield from _role(message, field)
    yield from _content(message, field)
    yield from _keys(message, field)
    yield from _weight(message, field)
    yield from call_problems(message, field)


def _role(message: Mapping[str, Any], field: str) -> Iterator[Problem]:
    role = message.get("role")
    if role in ROLES:
        return
    said = "the message has no role" if role is None else f"the role is {quoted(role)}"
    yield Problem("format-role", f"{field}.role", said, f"write one of {', '.join(ROLES)}")


def _content(message: Mapping[str, Any], field: str) -> Iterator[Problem]:
    content, at = message.get("content"), f"{field}.content"
    calls = message.get("role") == "assistant" and any(message.get(key) for key in CALLS)
    if isinstance(content, list) and content:
        for number, part in enumerate(content):
            yield from _part(part, f"{at}[{number}]")
    elif content is None or (content == [] and not calls):
        if not calls:
            yield Problem("format-content", at, "the message has no content", _WRITE)
    elif not isinstance(content, str):
        said = f"the content is {kind_of(content)}, not a text"
        yield Problem("format-content", at, said, "write it as a text in quotes")
    elif not is_said(content) and not calls and message.get("role") not in MAY_BE_EMPTY:
        yield Problem("format-content", at, "the content is empty", _WRITE)


_WRITE = "fill it in, or remove the row"


def _part(part: Any, field: str) -> Iterator[Problem]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if isinstance(kind, str) and "image" in kind:
        yield Problem(
            "format-image",
            field,
            f"the content holds a picture (a part of type {quoted(kind)}), and texts alone are "
            "learned",
            "remove the rows with pictures",
        )
    elif kind != "text" or not isinstance(part.get("text"), str):
        what = kind_of(part) if kind is None else f"of type {quoted(kind)}"
        if kind == "text":
            what = f"of type text, and its text is {kind_of(part.get('text'))}"
        yield Problem(
            "format-content",
            field,
            f"this part of the content is {what}, not a text",
            'write the content as a text, or its parts as {"type": "text", "text": "…"}',
        )


def _keys(message: Mapping[str, Any], field: str) -> Iterator[Problem]:
    for key, value in message.items():
        if key not in KEYS:
            yield Problem(
                "format-key",
                f"{field}.{key_shown(key)}",
                f"a message has no key {quoted(key)}",
                f"remove it, or write one of {', '.join(KEYS)}",
            )
        elif key in TEXT_KEYS and value is not None and not is_said(value):
            said = "empty" if isinstance(value, str) else f"{kind_of(value)}, not a text"
            yield Problem("format-key", f"{field}.{key}", f"{key} is {said}", _FILL)


_FILL = "fill it in, or remove it"


def _weight(message: Mapping[str, Any], field: str) -> Iterator[Problem]:
    weight, at = message.get("weight"), f"{field}.weight"
    if weight is None:
        return
    if message.get("role") != "assistant":
        said = f"a weight on a message of role {quoted(message.get('role'))}"
        yield Problem("format-weight", at, said, "give weights to assistant messages alone")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight not in (0, 1):
        other = isinstance(weight, bool | Mapping | list) or len(str(weight)) > SHOWN_CHARACTERS
        said = f"the weight is {kind_of(weight) if other else repr(weight)}"
        yield Problem("format-weight", at, said, "write 1 to learn the message, or 0 not to")
