"""A row of a language model's data, from its canonical JSON text: what a template may see of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.errors import DataError

Message = dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """Messages as a template takes them, and what each counts for.

    Args:
        messages: without weights; arguments of calls as dicts, contents as text.
        weights: of each message; 0 says that an assistant's turn is not to be learned.
        tools: as JSON schemas, or None.
    """

    messages: tuple[Message, ...]
    weights: tuple[float, ...]
    tools: list[dict[str, Any]] | None = None

    def answers(self) -> list[int]:
        """Which messages are the assistant's."""
        return [at for at, each in enumerate(self.messages) if each["role"] == "assistant"]


@dataclass(frozen=True)
class Plain:
    """A text without turns."""

    text: str


@dataclass(frozen=True)
class Preference:
    """A question, and two conversations that each end with an answer to it."""

    prompt: Conversation
    chosen: Conversation
    rejected: Conversation


def read_row(text: str) -> Conversation | Plain | Preference:
    """What the row's canonical JSON says.

    Raises:
        DataError: it is not one of the three kinds of rows.
    """
    try:
        row = json.loads(_printable(text))
        if "text" in row:
            return Plain(_string(row["text"]))
        if "messages" in row:
            return _conversation(row["messages"], row.get("tools"))
        prompt, tools = row["input"]["messages"], row["input"].get("tools")
        return Preference(
            prompt=_conversation(prompt, tools),
            chosen=_conversation([*prompt, *row["preferred_output"]], tools),
            rejected=_conversation([*prompt, *row["non_preferred_output"]], tools),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"is neither a conversation, nor a text, nor a preference: {error!r}",
            fix='write it as {"messages": [{"role": …, "content": …}, …]} or {"text": …}',
        ) from None


def _conversation(messages: Sequence[Message], tools: list[dict[str, Any]] | None) -> Conversation:
    weights = tuple(float(each.get("weight", 1)) for each in messages)
    return Conversation(tuple(_seen(each) for each in messages), weights, tools or None)


def _seen(message: Message) -> Message:
    """What a template sees of a message.

    >>> _seen({"role": "assistant", "content": [{"type": "text", "text": "Yes."}], "weight": 0})
    {'role': 'assistant', 'content': 'Yes.'}
    """
    seen = {key: value for key, value in message.items() if key != "weight" and value is not None}
    seen |= {"role": message["role"]}
    if isinstance(seen.get("content"), list):
        seen["content"] = "".join(_string(part["text"]) for part in seen["content"])
    _string(seen.get("content", ""))
    if "tool_calls" in seen:
        seen["tool_calls"] = [_parsed(call) for call in seen["tool_calls"]]
    return seen


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _parsed(call: dict[str, Any]) -> dict[str, Any]:
    """A call with its arguments as a dict: templates write these themselves, as JSON."""
    function = dict(call["function"])
    if isinstance(function.get("arguments"), str):
        function["arguments"] = json.loads(function["arguments"] or "{}")
    return {**call, "function": function}


def _printable(text: str) -> str:
    """Unpaired surrogates cannot be encoded as UTF-8, which tokenizers need."""
    return text.encode("utf-8", "replace").decode("utf-8")
