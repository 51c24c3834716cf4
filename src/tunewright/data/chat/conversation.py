"""A row as one text: JSON in OpenAI's form, written the same for the same content.

A conversation is {"messages", "tools", "parallel_tool_calls"}, a plain text {"text"}, and a pair of
answers {"input", "preferred_output", "non_preferred_output"}; what is absent is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]


def written(row: Mapping[str, Any]) -> str:
    """The text that stands for a row."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def without_nulls(value: Any) -> Any:
    """The value less every key without a value: Arrow gives all objects of a column all keys."""
    if isinstance(value, Mapping):
        return {k: without_nulls(each) for k, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(each) for each in value]
    return value


def prompt_of(row: Mapping[str, Any]) -> str:
    """What comes before the last answer: rows that share it must be in the same part."""
    if "text" in row:
        return str(row["text"])
    if "input" in row:
        return written({"messages": _messages(row["input"])})
    messages = _messages(row)
    last = max((i for i, m in enumerate(messages) if _role(m) == "assistant"), default=0)
    return written({"messages": [_plain(message) for message in messages[:last]] or messages})


def shown(text: str) -> str:
    """A row for people: a line for each turn."""
    row = json.loads(text)
    if "text" in row:
        return str(row["text"])
    if "input" not in row:
        return _lines(_messages(row)) or text
    sides = (("chosen", "preferred_output"), ("rejected", "non_preferred_output"))
    answers = [f"{name}: {_said(row.get(key))}" for name, key in sides]
    return "\n".join([_lines(_messages(row["input"])), *answers])


def _lines(messages: Sequence[Any]) -> str:
    return "\n".join(f"{_role(m)}: {_said([m])}" for m in messages)


def _said(messages: Any) -> str:
    first = messages[0] if isinstance(messages, list) and messages else messages
    if not isinstance(first, Mapping):
        return str(first)
    return str(first.get("content") or first.get("tool_calls") or "")


def _messages(row: Any) -> list[Any]:
    found = row.get("messages") if isinstance(row, Mapping) else None
    return found if isinstance(found, list) else []


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, Mapping) else None


def _plain(message: Any) -> Any:
    """Without its weight: what is learned of a turn does not make another prompt of it."""
    if not isinstance(message, Mapping):
        return message
    return {k: v for k, v in message.items() if k != "weight"}


def asked_and_answered(row: Mapping[str, Any]) -> tuple[str, str]:
    """The words of what comes before the last answer, and of all that comes after it.

    Without system messages: these are often the same in all rows.
    """
    if "text" in row:
        return str(row["text"]), ""
    if "input" in row:
        answers = [row.get(key) for key in ("preferred_output", "non_preferred_output")]
        return _turns(_messages(row["input"])), "\n".join(_said(answer) for answer in answers)
    messages = _messages(row)
    last = max((i for i, m in enumerate(messages) if _role(m) == "assistant"), default=None)
    return _turns(messages[:last]), _turns([] if last is None else messages[last:])


def _turns(messages: Sequence[Any]) -> str:
    return "\n".join(_said([m]) for m in messages if _role(m) not in ("system", "developer"))
