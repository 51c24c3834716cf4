"""What calls of functions must be: the calls, the answers to them, and the tools on offer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunewright.data.chat.problem import Problem, is_said, key_shown, kind_of, quoted

_CALL = (
    'write {"id": "…", "type": "function", "function": {"name": "…", "arguments": "{…}"}} for each'
)
_TOOL = 'write {"type": "function", "function": {"name": "…", "parameters": {…}}} for each'
_ARGUMENTS = r'write the arguments as the JSON text of an object, such as "{\"city\": \"Oslo\"}"'


FUNCTION_KEYS = ("name", "description", "parameters", "strict", "return")
"""OpenAI's, and what Transformers writes of a function that returns something."""


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
        value = json.loads(arguments, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return None if isinstance(value, dict) else f"the JSON of {kind_of(value)}, not of an object"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def answer_problems(messages: Sequence[Any], field: str) -> Iterator[Problem]:
    """Calls and answers that do not fit: each call is answered once, before anybody speaks."""
    waiting: dict[str, str] = {}  # id → where its call is
    made: set[str] = set()
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            continue
        at, named = f"{field}[{number}]", message.get("tool_call_id")
        if message.get("role") == "tool":
            yield from _answer(named, f"{at}.tool_call_id", waiting, made)
            continue
        if named is not None:
            said = f"tool_call_id on a message of role {quoted(message.get('role'))}"
            fix = "leave it to messages of role tool"
            yield Problem("format-answer", f"{at}.tool_call_id", said, fix)
        for made_id, place in waiting.items():
            said = f"the call {quoted(made_id)} is not answered before the next message"
            fix = "add a message of role tool with what the call gave, after that of the call"
            yield Problem("format-answer", place, said, fix)
        waiting = {}
        for made_id, place in _ids(message, at):
            made.add(made_id)
            if message.get("role") != "assistant":
                continue
            if made_id in waiting:
                said = f"two calls have the id {quoted(made_id)}"
                yield Problem("format-call", place, said, "give each call an id of its own")
            waiting[made_id] = place


def _answer(named: Any, at: str, waiting: dict[str, str], made: set[str]) -> Iterator[Problem]:
    """What is wrong with the call that a tool's message names, which is then answered."""
    if isinstance(named, str) and waiting.pop(named, None) is not None:
        return
    waiting.clear()  # it was meant for one of them: one mistake is told once
    if not is_said(named):
        said, fix = "the message of a tool names no call", "add tool_call_id, the id of the call"
    elif named in made:
        said = f"the call {quoted(named)} is answered before, or others have spoken since"
        fix = "write one message of role tool for each call, right after it"
    else:
        said = f"no call before has the id {quoted(named)}"
        fix = "write the id of a call in a message before"
    yield Problem("format-answer", at, said, fix)


def _ids(message: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Each id of a call that a message makes, and where it is."""
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, Mapping) and is_said(call.get("id")):
            yield call["id"], f"{at}.tool_calls[{number}].id"


def tool_problems(row: Mapping[str, Any], field: str = "") -> Iterator[Problem]:
    """What is wrong with `tools` and `parallel_tool_calls`.

    Args:
        field: what comes before them, such as 'input.'.
    """
    tools, parallel = row.get("tools"), row.get("parallel_tool_calls")
    if tools is not None and not isinstance(tools, list):
        said = f"tools is {kind_of(tools)}, not a list"
        yield Problem("format-tools", f"{field}tools", said, _TOOL)
    names: set[str] = set()
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        yield from _tool(tool, f"{field}tools[{number}]", names)
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


def _tool(tool: Any, field: str, names: set[str]) -> Iterator[Problem]:
    """What is wrong with a tool; its name is added to those of the tools before it."""
    if not isinstance(tool, Mapping):
        yield Problem("format-tools", field, f"the tool is {kind_of(tool)}, not an object", _TOOL)
        return
    if tool.get("type") != "function":
        said = f"the type of the tool is {quoted(tool.get('type'))}, not 'function'"
        yield Problem("format-tools", f"{field}.type", said, _TOOL)
    function, at = tool.get("function"), f"{field}.function"
    if not isinstance(function, Mapping):
        said = f"the function of the tool is {kind_of(function)}, not an object"
        yield Problem("format-tools", at, said, _TOOL)
        return
    name = function.get("name")
    if not is_said(name):
        yield Problem("format-tools", f"{at}.name", "the tool has no name", _TOOL)
    elif name in names:
        said = f"two tools have the name {quoted(name)}"
        yield Problem("format-tools", f"{at}.name", said, "give each tool a name of its own")
    else:
        names.add(name)
    yield from _function_keys(function, at)


def _function_keys(function: Mapping[str, Any], field: str) -> Iterator[Problem]:
    for key, value in function.items():
        at = f"{field}.{key_shown(key)}"
        if key not in FUNCTION_KEYS:
            said = f"the function of a tool has no key {quoted(key)}"
            fix = f"remove it, or write one of {', '.join(FUNCTION_KEYS)}"
            yield Problem("format-tools", at, said, fix)
        elif key == "parameters" and value is not None and not isinstance(value, Mapping):
            said = f"the parameters of the tool are {kind_of(value)}, not an object"
            yield Problem("format-tools", at, said, _TOOL)
        elif key == "description" and value is not None and not isinstance(value, str):
            said = f"the description of the tool is {kind_of(value)}, not a text"
            yield Problem("format-tools", at, said, "write it as a text in quotes")
