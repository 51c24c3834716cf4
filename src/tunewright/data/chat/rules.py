"""What a row of conversations, plain text or preference must be; all that is not is named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunewright.data.chat.call_rules import answer_problems, tool_problems
from tunewright.data.chat.message_rules import message_problems
from tunewright.data.chat.problem import Problem, is_said, key_shown, kind_of, quoted

NOTES = ("format-repeat",)
"""Codes that do not stop a run."""
ROW_KEYS = ("messages", "tools", "parallel_tool_calls")
SIDES = ("preferred_output", "non_preferred_output")
_NONE = "there are no messages"
_LIST = 'write messages as a list, such as [{"role": "user", "content": "…"}, …]'


def problems(canonical: str) -> list[Problem]:
    """All that is wrong with a row, in the order of its fields.

    Args:
        canonical: the row as `conversation` writes it.

    >>> [found.field for found in problems('{"messages":[{"role":"bot","content":"Hi"}]}')]
    ['messages[0].role', 'messages']
    """
    row = json.loads(canonical)
    if not isinstance(row, Mapping):
        said = f"the row is {kind_of(row)}, not an object"
        return [Problem("format-row", "", said, 'write it as {"messages": […]}')]
    if "text" in row:
        return list(_text(row))
    if "input" in row:
        return list(_preference(row))
    return [*_messages(row, ""), *_turns(row.get("messages")), *_around(row, "")]


def _text(row: Mapping[str, Any]) -> Iterator[Problem]:
    if not is_said(row["text"]):
        said = "the text is empty" if isinstance(row["text"], str) else "the text is no text"
        yield Problem("format-text", "text", said, "fill it in, or remove the row")


def _messages(row: Mapping[str, Any], before: str) -> Iterator[Problem]:
    """What is wrong with the messages one by one, and with their order."""
    messages, field = row.get("messages"), f"{before}messages"
    if not isinstance(messages, list) or not messages:
        what = "messages is an empty list" if messages == [] else f"messages is {kind_of(messages)}"
        none = "there is no input, nor a beginning that both answers share" if before else _NONE
        said = none if messages is None else what
        yield Problem("format-messages", field, said, _LIST)
        return
    for number, message in enumerate(messages):
        yield from message_problems(message, f"{field}[{number}]")
    yield from answer_problems(messages, field)
    roles = _roles(messages)
    for number, role in enumerate(roles):
        at = f"{field}[{number}].role"
        if role == "system" and number:
            said = "a system message that is not the first message"
            yield Problem("format-system", at, said, "put it first, or write it as developer")
        if number and role == roles[number - 1] and role in ("user", "assistant"):
            said = f"two messages of role {role} follow each other"
            yield Problem("format-repeat", at, said, "join them if they are one turn")


def _turns(messages: Any) -> Iterator[Problem]:
    """What is wrong with what a conversation teaches."""
    if not isinstance(messages, list) or not messages:
        return
    roles = _roles(messages)
    if "assistant" not in roles:
        said = "there is no message of the assistant, so there is nothing to learn"
        yield Problem("format-no-assistant", "messages", said, "add the answer, or remove the row")
        return
    if all(_is_unlearned(message) for message in messages if _is_assistant(message)):
        said = "every message of the assistant has the weight 0, so there is nothing to learn"
        fix = "give one of them the weight 1, or remove the row"
        yield Problem("nothing-learned", "messages", said, fix)
    if roles[-1] != "assistant":
        said = f"the last message is of role {quoted(roles[-1])}, not of the assistant"
        fix = "add the assistant's answer, or remove what comes after the last one"
        yield Problem("format-last", f"messages[{len(roles) - 1}].role", said, fix)


def _around(row: Mapping[str, Any], before: str) -> Iterator[Problem]:
    """What is wrong beside the messages."""
    yield from tool_problems(row, before)
    yield from _unknown(row, before, ROW_KEYS)


def _unknown(row: Mapping[str, Any], before: str, known: Sequence[str]) -> Iterator[Problem]:
    for key in row:
        if key not in known:
            said = f"{'the input' if before else 'a row'} has no key {quoted(key)}"
            fix = f"remove it, or write one of {', '.join(known)}"
            yield Problem("format-key", f"{before}{key_shown(key)}", said, fix)


def _preference(row: Mapping[str, Any]) -> Iterator[Problem]:
    asked = row["input"]
    if isinstance(asked, Mapping):
        yield from _messages(asked, "input.")
        yield from _last_asks(asked.get("messages"))
        yield from _around(asked, "input.")
    else:
        said = f"the input is {kind_of(asked)}, not an object"
        yield Problem("format-input", "input", said, 'write it as {"messages": […]}')
    for side in SIDES:
        yield from _output(row.get(side), side)
    first, second = (_answer(row.get(side)) for side in SIDES)
    if first and first == second:
        said = "both answers are the same, so there is nothing to prefer"
        fix = "write another answer, or remove the row"
        yield Problem("format-same", "non_preferred_output", said, fix)
    yield from _unknown(row, "", ("input", *SIDES))


def _last_asks(messages: Any) -> Iterator[Problem]:
    if isinstance(messages, list) and messages and _roles(messages)[-1] != "user":
        said = f"the last message of the input is of role {quoted(_roles(messages)[-1])}, not user"
        at = f"input.messages[{len(messages) - 1}].role"
        yield Problem("format-input", at, said, "end the input with the user's message")


def _output(output: Any, side: str) -> Iterator[Problem]:
    if not isinstance(output, list) or len(output) != 1:
        count = f"{len(output)} messages" if isinstance(output, list) else kind_of(output)
        said = f"{side} holds {count}, not one message of the assistant"
        yield Problem("format-output", side, said, "leave the one answer to the input in it")
    for number, message in enumerate(output if isinstance(output, list) else ()):
        yield from message_problems(message, f"{side}[{number}]")
        if isinstance(message, Mapping) and message.get("role") != "assistant":
            said = f"a message of role {quoted(message.get('role'))} is no answer"
            at = f"{side}[{number}].role"
            yield Problem("format-output", at, said, "write the role assistant")
        elif _is_unlearned(message):
            said = "an answer of the weight 0, of which nothing can be preferred"
            fix = "remove the weight, or the row"
            yield Problem("format-weight", f"{side}[{number}].weight", said, fix)


def _answer(output: Any) -> Any:
    """What an answer says, less the white space around it and what it counts for; None for nothing."""
    if not isinstance(output, list) or len(output) != 1 or not isinstance(output[0], Mapping):
        return output
    said = {key: value for key, value in output[0].items() if key not in ("role", "weight")}
    content = said.get("content")
    said["content"] = content.strip() if isinstance(content, str) else content
    return said if any(value for value in said.values()) else None


def _roles(messages: Sequence[Any]) -> list[Any]:
    return [m.get("role") if isinstance(m, Mapping) else None for m in messages]


def _is_unlearned(message: Any) -> bool:
    weight = message.get("weight") if isinstance(message, Mapping) else None
    return weight == 0 and not isinstance(weight, bool)


def _is_assistant(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "assistant"
