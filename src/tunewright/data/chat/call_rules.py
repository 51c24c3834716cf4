"""What calls of functions must be: the calls, the answers to them, and the tools on offer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunewright.data.chat.problem import Problem, is_said, kind_of, quoted

_CALL = (
    'write {"id": "…", "type": "function", "function": {"name": "…", "arguments": "{…}"}} for each'
)
_TOOL = 'write {"type": "function", "function": {"name": "…", "parameters": {…}}} for each'
_ARGUMENTS = r'write the arguments as the JSON text of an object, such as "{\"city\": \"Oslo\"}"'


def call_problems(message: Mapping[str, Any], field: str) -> Iterator[Problem]:
    """What is wrong with the calls that a message makes, and with the call it answers."""
    role = message.get("role")
    for key in ("tool_calls", "function_call"):
        if message.get(key) is not None and role != "assistant":
            said = f"{key} on a message of role {quoted(role)}"
            yield Problem("format-call", f"{field}.{key}", said, "leave calls to the assistant")
    calls = message.get("tool_calls")
    if calls is not None:
        yield from _calls(calls, f"{field}.tool_calls")
    call = message.get("function_call")
    if call is not None:
        yield from _function(call, f"{field}.function_call")


def _calls(calls: Any, field: str) -> Iterator[Problem]:
    if not isinstance(calls, list) or not calls:
        what = "an empty list" if calls == [] else f"{kind_of(calls)}, not a list"
        yield Problem("format-call", field, f"tool_calls is {what}", f"{_CALL}, or remove it")
        return
    for number, call in enumerate(calls):
        at = f"{field}[{number}]"
        if not isinstance(call, Mapping):
            yield Problem("format-call", at, f"the call is {kind_of(call)}, not an object", _CALL)
            continue
        if not is_said(call.get("id")):
            yield Problem("format-call", f"{at}.id", "the call has no id", _CALL)
        if call.get("type") != "function":
            said = f"the type of the call is {quoted(call.get('type'))}, not 'function'"
            yield Problem("format-call", f"{at}.type", said, _CALL)
        yield from _function(call.get("function"), f"{at}.function")


def _function(function: Any, field: str) -> Iterator[Problem]:
    if not isinstance(function, Mapping):
        said = f"the function of the call is {kind_of(function)}, not an object"
        yield Problem("format-call", field, said, _CALL)
        return
    if not is_said(function.get("name")):
        yield Problem("format-call", f"{field}.name", "the call names no function", _CALL)
    wrong = _wrong_arguments(function.get("arguments"))
    if wrong:
        said = f"the arguments are {wrong}"
        yield Problem("format-arguments", f"{field}.arguments", said, _ARGUMENTS)


def _wrong_arguments(arguments: Any) -> str | None:
    if not isinstance(arguments, str):
        return f"{kind_of(arguments)}, not a text of JSON"
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return None if isinstance(value, dict) else f"the JSON of {kind_of(value)}, not of an object"


def answer_problems(messages: Sequence[Any], field: str) -> Iterator[Problem]:
    """Messages of a tool that name no call, or one that was not made before."""
    made: set[str] = set()
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            continue
        named = message.get("tool_call_id")
        at = f"{field}[{number}].tool_call_id"
        if message.get("role") == "tool" and not is_said(named):
            said = "the message of a tool names no call"
            yield Problem("format-answer", at, said, "add tool_call_id, the id of the call")
        elif message.get("role") == "tool" and named not in made:
            said = f"no call before has the id {quoted(named)}"
            yield Problem("format-answer", at, said, "write the id of a call in a message before")
        elif message.get("role") != "tool" and named is not None:
            said = f"tool_call_id on a message of role {quoted(message.get('role'))}"
            yield Problem("format-answer", at, said, "leave it to messages of role tool")
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping) and isinstance(call.get("id"), str):
                made.add(call["id"])


def tool_problems(row: Mapping[str, Any], field: str = "") -> Iterator[Problem]:
    """What is wrong with `tools` and `parallel_tool_calls`.

    Args:
        field: what comes before them, such as 'input.'.
    """
    tools, parallel = row.get("tools"), row.get("parallel_tool_calls")
    if tools is not None and not isinstance(tools, list):
        said = f"tools is {kind_of(tools)}, not a list"
        yield Problem("format-tools", f"{field}tools", said, _TOOL)
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        yield from _tool(tool, f"{field}tools[{number}]")
    if parallel is None:
        return
    if not isinstance(parallel, bool):
        said = f"parallel_tool_calls is {quoted(parallel)}"
        at = f"{field}parallel_tool_calls"
        yield Problem("format-parallel", at, said, "write true or false without quotes")
    if not tools:
        said = "parallel_tool_calls in a row without tools"
        at = f"{field}parallel_tool_calls"
        yield Problem("format-parallel", at, said, "add the tools, or remove it")


def _tool(tool: Any, field: str) -> Iterator[Problem]:
    if not isinstance(tool, Mapping):
        yield Problem("format-tools", field, f"the tool is {kind_of(tool)}, not an object", _TOOL)
        return
    if tool.get("type") != "function":
        said = f"the type of the tool is {quoted(tool.get('type'))}, not 'function'"
        yield Problem("format-tools", f"{field}.type", said, _TOOL)
    function = tool.get("function")
    if not isinstance(function, Mapping):
        said = f"the function of the tool is {kind_of(function)}, not an object"
        yield Problem("format-tools", f"{field}.function", said, _TOOL)
        return
    if not is_said(function.get("name")):
        at = f"{field}.function.name"
        yield Problem("format-tools", at, "the tool has no name", _TOOL)
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        said = f"the parameters of the tool are {kind_of(parameters)}, not an object"
        yield Problem("format-tools", f"{field}.function.parameters", said, _TOOL)
