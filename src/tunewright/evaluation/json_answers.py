"""Answers that are JSON: whether they can be read, and whether two say the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn

import regex

TAGGED = regex.compile(r"<tool_call>(.*?)</tool_call>", regex.DOTALL)
ARGUMENTS = {"arguments", "parameters"}


def read_json(text: str) -> Hashable | None:
    """A value that equals another's exactly when both are the same JSON; None if it is not JSON.

    The order of keys does not count, 1 is 1.0 and is not true. NaN is not JSON.

    >>> read_json('{"a": 1, "b": [null]}') == read_json('{"b": [null], "a": 1.0}')
    True
    """
    try:
        value = json.loads(
            text, parse_int=Decimal, parse_float=Decimal, parse_constant=_no_constant
        )
        return _comparable(value)
    except (ValueError, ArithmeticError, RecursionError):  # malformed, too large, too deep
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _comparable(value: Any) -> Hashable:
    if isinstance(value, dict):
        return "object", frozenset((key, _comparable(each)) for key, each in value.items())
    if isinstance(value, list):
        return "array", tuple(_comparable(each) for each in value)
    return ("number" if isinstance(value, Decimal) else type(value).__name__), value


def calls_in(text: str) -> list[Mapping[str, Any]]:
    """The tool calls that a text spells out: between <tool_call> tags, or as JSON and nothing else.

    A call is an object with a `name`, and `arguments` or `parameters`: {"name": "Ada"} alone is an
    answer, and only between tags a call. What else stands between tags is a call that equals only
    itself.
    """
    tagged: list[str] = TAGGED.findall(text)
    if tagged:
        return [call for part in tagged for call in _named(part) or [{"unreadable": part}]]
    calls = _named(text)
    return calls if all(ARGUMENTS & call.keys() for call in calls) else []


def _named(text: str) -> list[Mapping[str, Any]]:
    """An object with a name, or a list of nothing but such."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    calls: list[Mapping[str, Any]]
    calls = [_flat(each) for each in (value if isinstance(value, list) else [value])]
    return calls if all(isinstance(call.get("name"), str) for call in calls) else []


def _flat(call: Any) -> dict[str, Any]:
    """A call with `name` and `arguments` at the top, as inside OpenAI's `function`."""
    if not isinstance(call, Mapping):
        return {}
    within = call.get("function")
    return {**call, **(within if isinstance(within, Mapping) else {})}


def same_calls(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the same functions are called with arguments that are equal as JSON, in any order.

    Args:
        ours, theirs: as in OpenAI's `tool_calls`, with arguments as text; or with `name` and
            `arguments` at the top; arguments may be an object.
    """
    mine, right = (Counter(_call(each) for each in calls) for calls in (ours, theirs))
    return mine == right


def _call(call: Mapping[str, Any]) -> Hashable:
    flat = _flat(call)
    arguments = flat.get("arguments", flat.get("parameters"))
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments, default=str)
    read = read_json(arguments.strip() or "{}")
    return flat.get("name"), flat.get("unreadable"), arguments if read is None else read
