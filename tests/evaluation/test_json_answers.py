"""JSON is compared by value, and tool calls by what would be done."""

from __future__ import annotations

import json

import pytest

from tunewright.evaluation.json_answers import calls_in, read_json, same_calls

DEEP = 100_000


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"a": 1, "b": 2}', '{ "b":2.0, "a":1 }'),
        ("[1, 1e2]", "[1.0, 100]"),
        ('"\\u00e9"', '"é"'),
        ("null", " null\n"),
        ("1" * 6000, "1" * 6000 + ".0"),
    ],
)
def test_the_same_value_is_equal_however_it_is_written(one: str, two: str) -> None:
    assert read_json(one) is not None
    assert read_json(one) == read_json(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("true", "1"),
        ("null", "false"),
        ("[1, 2]", "[2, 1]"),
        ('"1"', "1"),
        ("[]", "{}"),
        ('{"a": null}', "{}"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ('"number"', "0"),
    ],
)
def test_other_values_are_not_equal(one: str, two: str) -> None:
    assert read_json(one) != read_json(two)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{'a': 1}",
        "NaN",
        "[Infinity]",
        "```json\n{}\n```",
        "{} {}",
        "[" * DEEP + "]" * DEEP,
    ],
)
def test_what_is_not_json_cannot_be_read(text: str) -> None:
    assert read_json(text) is None


def openai(name: str, arguments: object) -> dict[str, object]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": f"call_{name}", "type": "function", "function": function}


def test_calls_are_the_same_in_any_order_and_any_form() -> None:
    ours = [openai("weather", {"city": "Bonn", "days": 2}), openai("time", {})]
    theirs = [
        {"name": "time"},
        {"name": "weather", "arguments": {"days": 2.0, "city": "Bonn"}},
    ]
    assert same_calls(ours, theirs)
    assert same_calls(theirs, ours)


@pytest.mark.parametrize(
    "ours",
    [
        [],
        [openai("weather", {"city": "Köln"})],
        [openai("climate", {"city": "Bonn"})],
        [openai("weather", {"city": "Bonn"})] * 2,
        [{"name": "weather", "arguments": '{"city": "Bonn"'}],
    ],
)
def test_a_missing_another_or_a_doubled_call_is_not_the_same(ours: list[dict]) -> None:
    assert not same_calls(ours, [openai("weather", {"city": "Bonn"})])


def test_arguments_that_are_not_there_are_none() -> None:
    given = [{"name": "f"}, {"name": "f", "arguments": ""}, {"name": "f", "arguments": None}]
    assert all(same_calls([each], [openai("f", {})]) for each in given)


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
        'Let me see. <tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call> Done.',
        '{"name": "f", "arguments": {"x": 1}}',
        '[{"name": "f", "parameters": {"x": 1}}]',
        json.dumps([openai("f", {"x": 1})]),
    ],
)
def test_calls_are_found_in_texts(text: str) -> None:
    assert same_calls(calls_in(text), [openai("f", {"x": 1})])


@pytest.mark.parametrize("text", ["", "no call", '{"name": "Ada"}', "[]", "[1]", '{"a": 1}', "{"])
def test_an_answer_is_not_a_call(text: str) -> None:
    assert calls_in(text) == []


def test_a_broken_call_between_tags_is_wrong_and_equals_itself() -> None:
    broken, whole = '<tool_call>{"name": </tool_call>', '<tool_call>{"name": "f"}</tool_call>'
    assert len(calls_in(broken)) == 1
    assert not same_calls(calls_in(broken), [])
    assert not same_calls(calls_in(broken), calls_in(whole))
    assert same_calls(calls_in(broken), calls_in(broken))
