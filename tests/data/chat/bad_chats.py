"""Malformed rows of chats and preferences: (name, the row, and the (code, field) of each problem)."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
Case = tuple[str, Row, list[tuple[str, str]]]
USER = {"role": "user", "content": "where is my parcel?"}
ANSWER = {"role": "assistant", "content": "it is here"}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id": 5}'}}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
PICTURE = {"type": "image_url", "image_url": {"url": "https://x.org/1.png"}}


def chat(*messages: Any, **more: Any) -> Row:
    return {"messages": list(messages), **more}


def asked(**changes: Any) -> Row:
    """A question with these changes, and its answer."""
    return chat(USER | changes, ANSWER)


def answered(**changes: Any) -> Row:
    """A question, and its answer with these changes."""
    return chat(USER, ANSWER | changes)


def called(**changes: Any) -> Row:
    """A call with these changes, and what came of it."""
    call = {key: value for key, value in (CALL | changes).items() if value != "-"}
    found = {"role": "tool", "tool_call_id": "c1", "content": "in Oslo"}
    return chat(USER, {"role": "assistant", "tool_calls": [call]}, found, ANSWER)


def function(**changes: Any) -> Row:
    return called(function=CALL["function"] | changes)


def replied(**message: Any) -> Row:
    """A call, and this message of a tool."""
    call = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    return chat(USER, call, {"role": "tool", **message}, ANSWER)


def with_tool(**changes: Any) -> Row:
    return chat(USER, ANSWER, tools=[TOOL | changes])


def pair(**changes: Any) -> Row:
    row = {
        "input": chat(USER),
        "preferred_output": [ANSWER],
        "non_preferred_output": [{"role": "assistant", "content": "no"}],
    }
    return row | changes


CALL_AT, ARGUMENTS = "messages[1].tool_calls[0]", "messages[1].tool_calls[0].function.arguments"
CHATS: list[Case] = [
    ("unknown role", asked(role="bot"), [("format-role", "messages[0].role")]),
    ("role in capitals", asked(role="User"), [("format-role", "messages[0].role")]),
    ("role a number", asked(role=5), [("format-role", "messages[0].role")]),
    ("role a list", asked(role=["user"]), [("format-role", "messages[0].role")]),
    ("role null", asked(role=None), [("format-role", "messages[0].role")]),
    (
        "no role",
        chat({"content": "hello"}, ANSWER),
        [("format-role", "messages[0].role")],
    ),
    ("message a text", chat("hello", ANSWER), [("format-message", "messages[0]")]),
    ("message null", chat(USER, None, ANSWER), [("format-message", "messages[1]")]),
    ("message a list", chat([USER], ANSWER), [("format-message", "messages[0]")]),
    ("no content", chat({"role": "user"}, ANSWER), [("format-content", "messages[0].content")]),
    ("content null", asked(content=None), [("format-content", "messages[0].content")]),
    ("answer null", answered(content=None), [("format-content", "messages[1].content")]),
    ("content empty", asked(content=""), [("format-content", "messages[0].content")]),
    ("content blank", answered(content=" \n"), [("format-content", "messages[1].content")]),
    (
        "content without a shape",
        answered(content="\u200b \ufeff"),
        [("format-content", "messages[1].content")],
    ),
    ("content a number", asked(content=5), [("format-content", "messages[0].content")]),
    ("content an object", asked(content={"a": 1}), [("format-content", "messages[0].content")]),
    ("no parts", asked(content=[]), [("format-content", "messages[0].content")]),
    ("part a text", asked(content=["hi"]), [("format-content", "messages[0].content[0]")]),
    (
        "part of sound",
        asked(content=[{"type": "text", "text": "hi"}, {"type": "input_audio"}]),
        [("format-content", "messages[0].content[1]")],
    ),
    (
        "part without text",
        asked(content=[{"type": "text", "text": 5}]),
        [("format-content", "messages[0].content[0]")],
    ),
    (
        "picture",
        asked(content=[{"type": "text", "text": "what is it?"}, PICTURE]),
        [("format-image", "messages[0].content[1]")],
    ),
    ("weight of a user", asked(weight=1), [("format-weight", "messages[0].weight")]),
    ("weight 2", answered(weight=2), [("format-weight", "messages[1].weight")]),
    ("weight a half", answered(weight=0.5), [("format-weight", "messages[1].weight")]),
    ("weight true", answered(weight=True), [("format-weight", "messages[1].weight")]),
    ("weight a text", answered(weight="1"), [("format-weight", "messages[1].weight")]),
    ("weight of many digits", answered(weight=10**4000), [("format-weight", "messages[1].weight")]),
    ("unknown key", asked(mood="glad"), [("format-key", "messages[0].mood")]),
    (
        "key of two lines",
        asked(**{"x\nerror: y": 1}),
        [("format-key", "messages[0].'x\\nerror: y'")],
    ),
    ("key of nothing", asked(**{"": 1}), [("format-key", "messages[0].''")]),
    ("long key", asked(**{"k" * 5000: 1}), [("format-key", f"messages[0].'{'k' * 39}…'")]),
    ("name a number", asked(name=5), [("format-key", "messages[0].name")]),
    ("functions", chat(USER, ANSWER, functions=[{"name": "find"}]), [("format-key", "functions")]),
    ("mistyped key", chat(USER, ANSWER, tool=[TOOL]), [("format-key", "tool")]),
    (
        "calls no list",
        answered(tool_calls=CALL),
        [("format-call", "messages[1].tool_calls")],
    ),
    ("no calls", answered(tool_calls=[]), [("format-call", "messages[1].tool_calls")]),
    ("call a text", answered(tool_calls=["find"]), [("format-call", CALL_AT)]),
    (
        "call without id",
        chat(USER, {"role": "assistant", "tool_calls": [CALL | {"id": ""}]}),
        [("format-call", f"{CALL_AT}.id")],
    ),
    ("call of no type", called(type="-"), [("format-call", f"{CALL_AT}.type")]),
    ("call of a type", called(type="tool"), [("format-call", f"{CALL_AT}.type")]),
    ("call of nothing", called(function="-"), [("format-call", f"{CALL_AT}.function")]),
    ("call without name", function(name=""), [("format-call", f"{CALL_AT}.function.name")]),
    ("arguments an object", function(arguments={"id": 5}), [("format-arguments", ARGUMENTS)]),
    ("arguments no JSON", function(arguments="{id: 5}"), [("format-arguments", ARGUMENTS)]),
    ("arguments a list", function(arguments="[5]"), [("format-arguments", ARGUMENTS)]),
    (
        "arguments not a number",
        function(arguments='{"id": NaN}'),
        [("format-arguments", ARGUMENTS)],
    ),
    ("arguments empty", function(arguments=""), [("format-arguments", ARGUMENTS)]),
    (
        "a user calls",
        asked(tool_calls=[CALL]),
        [("format-call", "messages[0].tool_calls")],
    ),
    (
        "old call without name",
        answered(function_call={"arguments": "{}"}),
        [("format-call", "messages[1].function_call.name")],
    ),
    (
        "tool without id",
        replied(content="in Oslo"),
        [("format-answer", "messages[2].tool_call_id")],
    ),
    (
        "tool with another id",
        replied(content="in Oslo", tool_call_id="c2"),
        [("format-answer", "messages[2].tool_call_id")],
    ),
    (
        "tool before the call",
        chat(USER, {"role": "tool", "tool_call_id": "c1", "content": "x"}, ANSWER),
        [("format-answer", "messages[1].tool_call_id")],
    ),
    (
        "call without an answer",
        chat(USER, {"role": "assistant", "tool_calls": [CALL]}, USER, ANSWER),
        [("format-answer", f"{CALL_AT}.id")],
    ),
    (
        "one of two calls without an answer",
        chat(
            USER,
            {"role": "assistant", "tool_calls": [CALL, CALL | {"id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
            ANSWER,
        ),
        [("format-answer", "messages[1].tool_calls[1].id")],
    ),
    (
        "two calls of one id",
        chat(USER, {"role": "assistant", "tool_calls": [CALL, CALL]}),
        [("format-call", "messages[1].tool_calls[1].id")],
    ),
    (
        "two answers to one call",
        chat(
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
            {"role": "tool", "tool_call_id": "c1", "content": "y"},
            ANSWER,
        ),
        [("format-answer", "messages[3].tool_call_id")],
    ),
    (
        "a user answers a call",
        asked(tool_call_id="c1"),
        [("format-answer", "messages[0].tool_call_id")],
    ),
    (
        "tool says null",
        replied(content=None, tool_call_id="c1"),
        [("format-content", "messages[2].content")],
    ),
    ("tools a text", chat(USER, ANSWER, tools="find"), [("format-tools", "tools")]),
    ("tools an object", chat(USER, ANSWER, tools=TOOL), [("format-tools", "tools")]),
    ("tool a text", chat(USER, ANSWER, tools=["find"]), [("format-tools", "tools[0]")]),
    ("tool of a type", with_tool(type="x"), [("format-tools", "tools[0].type")]),
    ("tool of nothing", with_tool(function=None), [("format-tools", "tools[0].function")]),
    ("tool without name", with_tool(function={}), [("format-tools", "tools[0].function.name")]),
    (
        "parameters a list",
        with_tool(function={"name": "find", "parameters": []}),
        [("format-tools", "tools[0].function.parameters")],
    ),
    (
        "two tools of one name",
        chat(USER, ANSWER, tools=[TOOL, TOOL]),
        [("format-tools", "tools[1].function.name")],
    ),
    (
        "tool with a mistyped key",
        with_tool(function={"name": "find", "paramters": {}}),
        [("format-tools", "tools[0].function.paramters")],
    ),
    (
        "description a number",
        with_tool(function={"name": "find", "description": 5}),
        [("format-tools", "tools[0].function.description")],
    ),
    (
        "parallel a text",
        chat(USER, ANSWER, tools=[TOOL], parallel_tool_calls="yes"),
        [("format-parallel", "parallel_tool_calls")],
    ),
    (
        "parallel a number",
        chat(USER, ANSWER, tools=[TOOL], parallel_tool_calls=1),
        [("format-parallel", "parallel_tool_calls")],
    ),
    (
        "parallel without tools",
        chat(USER, ANSWER, parallel_tool_calls=False),
        [("format-parallel", "parallel_tool_calls")],
    ),
    ("messages empty", chat(), [("format-messages", "messages")]),
    ("messages a text", {"messages": "hello"}, [("format-messages", "messages")]),
    ("messages a number", {"messages": 5}, [("format-messages", "messages")]),
    ("messages an object", {"messages": USER}, [("format-messages", "messages")]),
    ("messages null", {"messages": None}, [("format-messages", "messages")]),
    ("no messages", {"other": 1}, [("format-messages", "messages")]),
    ("no assistant", chat(USER), [("format-no-assistant", "messages")]),
    ("nothing learned", answered(weight=0), [("nothing-learned", "messages")]),
    ("ends with user", chat(USER, ANSWER, USER), [("format-last", "messages[2].role")]),
    (
        "system in the middle",
        chat(USER, {"role": "system", "content": "be short"}, ANSWER),
        [("format-system", "messages[1].role")],
    ),
    (
        "several at once",
        chat(USER | {"role": "bot", "x": 1}, ANSWER | {"weight": 3}, USER, tools=5),
        [
            ("format-role", "messages[0].role"),
            ("format-key", "messages[0].x"),
            ("format-weight", "messages[1].weight"),
            ("format-last", "messages[2].role"),
            ("format-tools", "tools"),
        ],
    ),
]
SIDE = "preferred_output"
PAIRS: list[Case] = [
    ("input a text", pair(input="hello"), [("format-messages", "input.messages")]),
    ("input a number", pair(input=5), [("format-messages", "input.messages")]),
    ("input null", pair(input=None), [("format-messages", "input.messages")]),
    ("input without messages", pair(input={}), [("format-messages", "input.messages")]),
    ("input of no messages", pair(input=chat()), [("format-messages", "input.messages")]),
    (
        "input ends with the answer",
        pair(input=chat(USER, ANSWER)),
        [("format-input", "input.messages[1].role")],
    ),
    (
        "input with a bad role",
        pair(input=chat(USER | {"role": "bot"}, USER)),
        [("format-role", "input.messages[0].role")],
    ),
    (
        "input with another key",
        pair(input=chat(USER, extra=1)),
        [("format-key", "input.extra")],
    ),
    (
        "input parallel without tools",
        pair(input=chat(USER, parallel_tool_calls=True)),
        [("format-parallel", "input.parallel_tool_calls")],
    ),
    (
        "input with bad tools",
        pair(input=chat(USER, tools=[5])),
        [("format-tools", "input.tools[0]")],
    ),
    ("two answers", pair(preferred_output=[ANSWER, ANSWER]), [("format-output", SIDE)]),
    ("no answer", pair(preferred_output=[]), [("format-output", SIDE)]),
    (
        "answer of a user",
        pair(preferred_output=[USER]),
        [("format-output", f"{SIDE}[0].role")],
    ),
    (
        "answer empty",
        pair(preferred_output=[ANSWER | {"content": ""}]),
        [("format-content", f"{SIDE}[0].content")],
    ),
    ("answer null", pair(preferred_output=None), [("format-content", f"{SIDE}[0].content")]),
    ("answer a number", pair(preferred_output=5), [("format-content", f"{SIDE}[0].content")]),
    (
        "answer of no weight",
        pair(preferred_output=[ANSWER | {"weight": 0}]),
        [("format-weight", f"{SIDE}[0].weight")],
    ),
    (
        "no answer on both sides",
        pair(preferred_output=None, non_preferred_output=None),
        [
            ("format-content", f"{SIDE}[0].content"),
            ("format-content", "non_preferred_output[0].content"),
        ],
    ),
    (
        "no messages on both sides",
        pair(preferred_output=[], non_preferred_output=[]),
        [("format-output", SIDE), ("format-output", "non_preferred_output")],
    ),
    (
        "other answer empty",
        pair(non_preferred_output=[ANSWER | {"content": " "}]),
        [("format-content", "non_preferred_output[0].content")],
    ),
    (
        "answers alike",
        pair(non_preferred_output=[ANSWER]),
        [("format-same", "non_preferred_output")],
    ),
    (
        "answers alike but for space",
        pair(non_preferred_output=[ANSWER | {"content": " it is here "}]),
        [("format-same", "non_preferred_output")],
    ),
]
