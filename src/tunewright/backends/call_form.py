"""How a chat template writes the calls of tools, and the calls in a text that is written so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.backends.chat_template import ChatTemplate
from tunewright.errors import DataError, ModelError

NAME, TOOL = "probe_of_calls", "probe_of_tools"
_CALL = {
    "id": "call00000",
    "type": "function",
    "function": {"name": NAME, "arguments": {"city": "Oslo"}},
}
_ASKED = ({"role": "user", "content": "a"},)
_CALLED = (*_ASKED, {"role": "assistant", "content": "", "tool_calls": [_CALL]})
_TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "b",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


@dataclass(frozen=True)
class CallForm:
    """A call is a JSON object with a name, between two marks.

    Args:
        begin, end: either may be empty.
        arguments: the key of the arguments. nested: whether both are within `function`.
    """

    begin: str
    end: str
    arguments: str = "arguments"
    nested: bool = False

    def read(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """What a text says before its calls, and these: `name` and `arguments`.

        A text whose calls cannot be read is all text.
        """
        mark = self.begin.strip()
        at = text.find(mark) if mark else 0
        calls: list[dict[str, Any]] = []
        said, rest = text[: max(at, 0)], text[max(at, 0) :]
        while at >= 0 and rest.strip():
            found = self._one(rest)
            if found is None:
                return text, []
            call, rest = found
            calls.append(call)
        return (said.strip(), calls) if calls else (text, [])

    def schema(self, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Of the JSON object that is a call of one of these functions."""
        return {"anyOf": [self._schema_of(tool["function"]) for tool in tools]}

    def _schema_of(self, function: Mapping[str, Any]) -> dict[str, Any]:
        given = function.get("parameters") or {"type": "object"}
        call = _object({"name": {"const": function["name"]}, self.arguments: given})
        if not self.nested:
            return call
        return _object({"type": {"const": "function"}, "function": call})

    def _one(self, rest: str) -> tuple[dict[str, Any], str] | None:
        rest = rest.lstrip(" \n\t,;").removeprefix(self.begin.strip()).lstrip()
        try:
            value, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            return None
        call = _named(value)
        return None if call is None else (call, rest[end:].lstrip().removeprefix(self.end.strip()))


def shows_tools(template: ChatTemplate) -> bool:
    """Whether the template has a place for the tools that may be called."""
    try:
        return TOOL in template.text(_ASKED, _TOOLS, generation_prompt=True)
    except (DataError, ModelError):
        return False


def call_form(template: ChatTemplate) -> CallForm | None:
    """How the template writes a call; None where it does so in no JSON object with a name."""
    try:
        text = template.text(_CALLED, _TOOLS)
        asked = template.text(_ASKED, _TOOLS, generation_prompt=True)
    except (DataError, ModelError):
        return None
    first = _common(text, asked)
    for at in range(first, len(text)):
        if text[at] != "{":
            continue
        try:
            value, end = json.JSONDecoder().raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        named = _named(value)
        if named is not None and named["name"] == NAME:
            after, stop = text[end:], template.stop
            nested = isinstance(value.get("function"), Mapping)
            inner = value["function"] if nested else value
            return CallForm(
                begin=text[first:at],
                end=after.split(stop)[0] if stop else after.rstrip(),
                arguments="parameters" if "parameters" in inner else "arguments",
                nested=nested,
            )
    return None


def _common(one: str, two: str) -> int:
    """Characters that both begin with."""
    pairs = zip(one, two, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _named(value: Any) -> dict[str, Any] | None:
    """`name` and `arguments` of an object that is a call."""
    if not isinstance(value, Mapping):
        return None
    inner = value.get("function")
    value = inner if isinstance(inner, Mapping) else value
    if not isinstance(value.get("name"), str):
        return None
    return {"name": value["name"], "arguments": value.get("arguments", value.get("parameters", {}))}
