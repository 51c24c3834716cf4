"""A row in OpenAI's words and order of keys, whatever form it came in; what is wrong stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunewright.data.chat.sharegpt import is_sharegpt, openai_tools, with_calls

ROW_KEYS = ("messages", "tools", "parallel_tool_calls")
ROLES = {
    **{"human": "user", "gpt": "assistant", "bing": "assistant", "chatgpt": "assistant"},
    **{"function_call": "assistant", "observation": "tool"},
}
"""ShareGPT's words for OpenAI's."""


def conversation_row(given: Mapping[str, Any], *, beside: Sequence[str] = ()) -> dict[str, Any]:
    """{"messages", "tools", …} of a row; what has another shape stays as it is.

    Args:
        given: values by the parts of `forms.COLUMNS`. beside: keys of it to keep too.
    """
    if "messages" in given:
        row: dict[str, Any] = {"messages": _messages(given["messages"])}
    else:
        row = {"messages": [_user(given), _message(given.get("completion"), "assistant")]}
    _add_system(row, given)
    more = {part: given.get(part) for part in ("tools", *beside)}
    spoken = given.get("messages")
    if isinstance(spoken, list) and any(map(is_sharegpt, spoken)):
        more["tools"] = openai_tools(more["tools"])
    return _ordered(row | more)


def preference_row(given: Mapping[str, Any]) -> dict[str, Any]:
    """{"input", "preferred_output", "non_preferred_output"} of a row.

    What both answers begin with is the input where there is none, and no part of them where it is
    the input again.
    """
    chosen, rejected = (_answer(given[part]) for part in ("chosen", "rejected"))
    asked = given.get("messages", given.get("prompt"))
    if isinstance(asked, Mapping):
        row = dict(asked) | {"messages": _messages(asked.get("messages"))}
    elif isinstance(asked, str) and "messages" not in given:
        row = {"messages": [{"role": "user", "content": asked}]}
    elif asked is not None:
        row = {"messages": _messages(asked)}
    else:
        row = {"messages": chosen[: _in_common(chosen, rejected)] or None}
    begun = row["messages"]
    again = len(begun) if isinstance(begun, list) else 0
    if begun == chosen[:again] == rejected[:again] and again < min(len(chosen), len(rejected)):
        chosen, rejected = chosen[again:], rejected[again:]
    _add_system(row, given)
    given_tools = {"tools": given["tools"]} if given.get("tools") is not None else {}
    return {
        "input": _ordered(given_tools | row),
        "preferred_output": chosen,
        "non_preferred_output": rejected,
    }


def _in_common(chosen: Sequence[Any], rejected: Sequence[Any]) -> int:
    """How many messages both begin with; the last of each is an answer in any case."""
    common = 0
    while common < min(len(chosen), len(rejected)) - 1 and chosen[common] == rejected[common]:
        common += 1
    return common


def _ordered(row: Mapping[str, Any]) -> dict[str, Any]:
    """The known keys first, the others by their names; less those that say nothing."""
    says = {k: v for k, v in row.items() if k == "messages" or (v is not None and v != [])}
    known = {key: says[key] for key in ROW_KEYS if key in says}
    return known | {key: says[key] for key in sorted(says) if key not in known}


def _user(given: Mapping[str, Any]) -> dict[str, Any]:
    prompt, context = given.get("prompt"), given.get("context")
    if isinstance(prompt, str) and isinstance(context, str) and context.strip():
        prompt = f"{prompt}\n\n{context}"
    return {"role": "user", "content": prompt}


def _add_system(row: dict[str, Any], given: Mapping[str, Any]) -> None:
    system = given.get("system")
    if isinstance(system, str) and system.strip() and isinstance(row["messages"], list):
        row["messages"] = [{"role": "system", "content": system}, *row["messages"]]


def _answer(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [_message(each, "assistant") for each in value]
    return [_message(value, "assistant")]


def _messages(value: Any) -> Any:
    return (
        [_message(each, None) for each in with_calls(value)] if isinstance(value, list) else value
    )


def _message(value: Any, role: str | None) -> Any:
    """A message in OpenAI's words, in one order of keys, less those that say nothing.

    Args:
        role: of a value that is no message but its content; None where it must be a message.
    """
    if not isinstance(value, Mapping):
        return (
            value if role is None or isinstance(value, list) else {"role": role, "content": value}
        )
    if is_sharegpt(value):
        said = dict(value)
        name = said.pop("from")
        role = ROLES.get(name, name) if isinstance(name, str) else name
        value = {"role": role, "content": said.pop("value", None), **said}
    content = value.get("content")
    if isinstance(content, list) and all(_is_text(part) for part in content):
        value = {**value, "content": "".join(part["text"] for part in content)}
    says = {key: each for key, each in value.items() if each is not None}
    first = {key: says[key] for key in ("role", "content") if key in says}
    return first | {key: says[key] for key in sorted(says) if key not in first}


def _is_text(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and part.get("type") == "text"
        and isinstance(part.get("text"), str)
    )
