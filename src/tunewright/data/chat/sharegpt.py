"""ShareGPT's calls, results and tools in OpenAI's words: a call has an id, and its result names it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def is_sharegpt(message: Any) -> bool:
    """Whether a message says by `from` who speaks."""
    return isinstance(message, Mapping) and "from" in message and "role" not in message


def with_calls(messages: Sequence[Any]) -> Iterator[Any]:
    """The messages, calls and results among them in OpenAI's form; what is no call stays as it is.

    Results come in the order of the calls, which are numbered.
    """
    waiting: deque[str] = deque()
    made = 0
    for message in messages:
        says = message.get("from") if is_sharegpt(message) else None
        calls = _functions(message.get("value")) if says == "function_call" else []
        rest = {} if says is None else {k: v for k, v in message.items() if k not in _SAYS}
        if calls:
            ids = [f"call_{number}" for number in range(made, made + len(calls))]
            waiting.extend(ids)
            made += len(calls)
            made_calls = [
                {"id": name, "type": "function", "function": call}
                for name, call in zip(ids, calls, strict=True)
            ]
            yield {**rest, "role": "assistant", "tool_calls": made_calls}
        elif says == "observation" and waiting:
            answer = {"role": "tool", "tool_call_id": waiting.popleft()}
            yield {**rest, **answer, "content": message.get("value")}
        else:
            yield message


_SAYS = ("from", "value")


def _functions(value: Any) -> list[dict[str, Any]]:
    """What a text of JSON calls, one function or a list of them; nothing where it is no such text."""
    try:
        said = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return []
    calls = said if isinstance(said, list) else [said]
    if not all(isinstance(call, Mapping) and "name" in call for call in calls):
        return []
    return [_function(call) for call in calls]


def _function(call: Mapping[str, Any]) -> dict[str, Any]:
    given = call.get("arguments", {})
    is_text = isinstance(given, str)
    return {**call, "arguments": given if is_text else json.dumps(given, ensure_ascii=False)}


def openai_tools(tools: Any) -> Any:
    """Each tool that is a bare function as OpenAI writes it."""
    if not isinstance(tools, list):
        return tools
    return [
        {"type": "function", "function": tool}
        if isinstance(tool, Mapping) and "name" in tool and "function" not in tool
        else tool
        for tool in tools
    ]
