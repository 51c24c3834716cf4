"""Every problem of a row of chats or preferences is named, with code, line and field."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_chats import ANSWER, CALL, CHATS, PAIRS, TOOL, USER, Case, Row, answered, asked, chat, pair

from tiny_chats import write_lines
from tunewright.checking import check
from tunewright.data.chat.canonical import conversation_row, preference_row
from tunewright.data.chat.conversation import prompt_of, shown, written
from tunewright.data.chat.rules import problems
from tunewright.errors import DataError

GOOD = 22
OPENAI_PAIR = {
    "messages": "input",
    "chosen": "preferred_output",
    "rejected": "non_preferred_output",
}


def good_chats() -> list[Row]:
    return [chat(USER | {"content": f"where is {n}?"}, ANSWER) for n in range(GOOD)]


def good_pairs() -> list[Row]:
    return [pair(input=chat(USER | {"content": f"where is {n}?"})) for n in range(GOOD)]


def found(path: Path, *settings: str) -> list[dict[str, Any]]:
    return list(check(path, settings=settings)["findings"])


def told(findings: list[dict[str, Any]]) -> set[tuple[str, int, str]]:
    """What is wrong with fields; rows may be near copies of each other besides."""
    rows = [(each["code"], row) for each in findings for row in each["rows"]]
    return {(code, row["line"], row["field"]) for code, row in rows if "field" in row}


@pytest.mark.parametrize("case", CHATS + PAIRS, ids=lambda case: case[0].replace(" ", "-"))
@pytest.mark.parametrize("place", [GOOD, 0], ids=["last", "first"])
def test_a_malformed_row_is_named_by_code_line_and_field(
    case: Case, place: int, tmp_path: Path
) -> None:
    _, row, expected = case
    rows = good_pairs() if case in PAIRS else good_chats()
    rows.insert(place, row)
    findings = found(write_lines(tmp_path / "x.jsonl", rows))
    assert told(findings) == {(code, place + 1, field) for code, field in expected}
    for finding in findings:
        assert finding["severity"] == "error"
        assert (finding["count"], finding["rows"][0]["file"]) == (1, str(tmp_path / "x.jsonl"))
        assert finding["message"].startswith("1 row where ")
        assert finding["fix"]


def test_problems_of_several_rows_are_all_listed(tmp_path: Path) -> None:
    bad = [asked(role="bot"), answered(weight=2), asked(role="bot", x=1), chat(USER), asked(role=5)]
    path = write_lines(tmp_path / "x.jsonl", [*good_chats(), *bad])
    findings = found(path)
    assert told(findings) == {
        ("format-role", 23, "messages[0].role"),
        ("format-weight", 24, "messages[1].weight"),
        ("format-role", 25, "messages[0].role"),
        ("format-key", 25, "messages[0].x"),
        ("format-no-assistant", 26, "messages"),
        ("format-role", 27, "messages[0].role"),
    }
    roles = findings[0]
    assert (roles["code"], roles["count"]) == ("format-role", 3)
    assert roles["rows"][0]["text"] == "bot: where is my parcel?\nassistant: it is here"
    assert roles["rows"][2]["problem"] == "the role is a number"


def test_a_finding_counts_all_rows_and_shows_20(tmp_path: Path) -> None:
    rows = [*good_chats(), *[asked(role="bot")] * 30]
    findings = {each["code"]: each for each in found(write_lines(tmp_path / "x.jsonl", rows))}
    assert (findings["format-role"]["count"], len(findings["format-role"]["rows"])) == (30, 20)


@pytest.mark.parametrize("messages", ["hello", 5, USER, []], ids=["text", "number", "object", "no"])
def test_a_file_with_no_good_messages_at_all_is_still_one_of_chats(
    messages: Any, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "x.jsonl", [{"messages": messages}] * 25)
    (finding,) = [each for each in found(path) if each["severity"] == "error"]
    assert (finding["code"], finding["count"]) == ("format-messages", 25)


@pytest.mark.parametrize("case", CHATS + PAIRS, ids=lambda case: case[0].replace(" ", "-"))
def test_a_problem_is_told_in_one_short_line(case: Case) -> None:
    for problem in problems(json.dumps(case[1])):
        for said in (problem.field, problem.message, problem.fix):
            assert len(said) < 200
            assert len(said.splitlines()) <= 1


def test_a_pair_of_answers_among_chats_is_the_one_row_that_is_wrong(tmp_path: Path) -> None:
    findings = found(write_lines(tmp_path / "x.jsonl", [*good_chats(), pair()]))
    assert told(findings) == {("format-messages", GOOD + 1, "messages")}


def test_preferences_without_one_of_their_columns_are_told_which(tmp_path: Path) -> None:
    rows = [{"input": chat(USER), "preferred_output": [ANSWER]}] * GOOD
    with pytest.raises(DataError, match="no row has non_preferred_output, which preferences need"):
        found(write_lines(tmp_path / "x.jsonl", rows))


def test_answers_to_different_prompts_are_said_to_have_no_input(tmp_path: Path) -> None:
    answer = {"role": "assistant", "content": "no"}
    rows = [
        {"chosen": [USER | {"content": f"where is {n}?"}, ANSWER], "rejected": [USER, answer]}
        for n in range(GOOD)
    ]
    finding, _ = found(write_lines(tmp_path / "x.jsonl", rows))
    assert (finding["code"], finding["count"]) == ("format-messages", GOOD)
    assert "nor a beginning that both answers share" in finding["message"]


def test_a_column_of_the_usual_name_goes_before_one_in_capitals(tmp_path: Path) -> None:
    rows = [row | {"Messages": "x"} for row in good_chats()]
    assert found(write_lines(tmp_path / "x.jsonl", rows)) == []


def test_a_number_in_place_of_a_plain_text_is_not_called_empty(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": f"this is line {n}"} for n in range(GOOD)]
    path = write_lines(tmp_path / "x.jsonl", [*rows, {"text": ["a"]}])
    (finding,) = [each for each in found(path, "task=text-generation") if each["rows"]]
    assert finding["message"] == "1 row where the text is no text"


def test_the_same_role_twice_in_a_row_is_a_note(tmp_path: Path) -> None:
    rows = [*good_chats(), chat(USER, USER | {"content": "hello?"}, ANSWER)]
    (finding,) = found(write_lines(tmp_path / "x.jsonl", rows))
    assert (finding["code"], finding["severity"]) == ("format-repeat", "note")
    assert finding["rows"][0]["field"] == "messages[1].role"


def test_an_empty_plain_text_is_named(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": f"this is line {n}"} for n in range(GOOD)]
    path = write_lines(tmp_path / "x.jsonl", [*rows, {"text": " "}, {"text": None}])
    (finding,) = [each for each in found(path, "task=text-generation") if each["rows"]]
    assert (finding["code"], finding["count"]) == ("format-text", 2)
    assert [row["line"] for row in finding["rows"]] == [23, 24]


@pytest.mark.parametrize(
    "row",
    [
        chat({"role": "system", "content": "be short"}, USER, ANSWER),
        chat({"role": "developer", "content": "be short"}, USER, ANSWER),
        chat(USER | {"name": "Ann"}, ANSWER | {"weight": 0}, USER, ANSWER | {"weight": 1.0}),
        chat(USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, tools=[TOOL]),
        chat(USER, {"role": "assistant", "tool_calls": [CALL]}, tools=[TOOL]),
        chat(USER, ANSWER, tools=[TOOL], parallel_tool_calls=False),
        chat(
            USER,
            {"role": "assistant", "tool_calls": [CALL, CALL | {"id": "c2"}]},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "tool", "tool_call_id": "c1", "content": "in Oslo"},
            ANSWER | {"reasoning_content": "it was found"},
        ),
        chat(
            USER,
            {"role": "assistant", "function_call": CALL["function"]},
            {"role": "function", "name": "find", "content": "in Oslo"},
            ANSWER,
        ),
        asked(content=[{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}]),
        pair(input=chat(USER, ANSWER, USER, tools=[TOOL], parallel_tool_calls=True)),
        {"text": "once upon a time"},
    ],
)
def test_a_good_row_has_no_problems(row: Row) -> None:
    assert problems(json.dumps(row)) == []


JUNK = (None, 5, 1.5, True, "", "x", [], {}, [[]], [{}], {"a": 1}, "[]", "{}", [None, 5])


def spoil(value: Any, draw: random.Random) -> Any:
    """The value with junk in a place or two."""
    if draw.random() < 0.12:
        return draw.choice(JUNK)
    if isinstance(value, dict):
        return {key: spoil(each, draw) for key, each in value.items() if draw.random() > 0.05}
    return [spoil(each, draw) for each in value] if isinstance(value, list) else value


def test_no_junk_of_any_kind_breaks_the_check() -> None:
    draw = random.Random(0)
    rows = [row for _, row, _ in CHATS + PAIRS]
    for _ in range(4000):
        row = spoil(draw.choice(rows), draw)
        row = row if isinstance(row, dict) else {}
        given = {part: row.get(name) for part, name in OPENAI_PAIR.items()}
        for text in (
            written(preference_row(given) if "input" in row else conversation_row(row)),
            json.dumps(row),
        ):
            assert all(each.message and each.fix for each in problems(text))
            assert isinstance(shown(text), str)
            assert isinstance(prompt_of(json.loads(text)), str)


def test_equal_rows_are_duplicates_and_equal_prompts_are_not(tmp_path: Path) -> None:
    rows = good_chats()
    other = chat(rows[3]["messages"][0], ANSWER | {"content": "it is elsewhere"})
    assert found(write_lines(tmp_path / "x.jsonl", [*rows, other])) == []
    (finding,) = found(write_lines(tmp_path / "x.jsonl", [*rows, other, rows[5]]))
    assert (finding["code"], finding["count"]) == ("duplicate", 1)
    assert finding["rows"][0]["line"] == 24


def test_an_equal_prompt_in_another_part_is_a_leak(tmp_path: Path) -> None:
    rows = good_chats()
    other = chat(rows[3]["messages"][0], ANSWER | {"content": "it is elsewhere"})
    write_lines(tmp_path / "train.jsonl", rows)
    write_lines(tmp_path / "test.jsonl", [other, chat(USER, ANSWER)])
    (finding,) = found(tmp_path)
    assert (finding["code"], finding["severity"], finding["count"]) == ("leak", "error", 1)
    assert "prompt" in finding["message"]


def test_a_run_refuses_with_line_and_field_and_says_how_many_more(
    tmp_path: Path, tiny_bert: Path, cli: Callable[..., Any]
) -> None:
    bad = [asked(role="bot"), answered(weight=2), asked(role="bot"), asked(role="bot")]
    path = write_lines(tmp_path / "x.jsonl", [*good_chats(), *bad])
    error = cli("run", path, "--model", tiny_bert).error()
    what, fix = error.splitlines()
    assert "format-role: 3 rows where the role is 'bot'" in what
    assert f"(first: line 23 of {path}, messages[0].role, and 2 more)" in what
    assert what.endswith("`tunewright check` lists 1 more kind of errors")
    assert "system, developer, user" in fix


def test_check_lists_every_problem_for_people_and_for_programs(
    tmp_path: Path, cli: Callable[..., Any]
) -> None:
    path = write_lines(tmp_path / "x.jsonl", [*good_chats(), asked(role="bot", x=1)])
    said = cli("check", path)
    assert said.code == 1
    assert f"line 23 of {path}, messages[0].role: the role is 'bot'" in said.out
    assert f"line 23 of {path}, messages[0].x: a message has no key 'x'" in said.out
    shown = json.loads(cli("check", path, "--json").out)
    assert [each["code"] for each in shown["findings"]] == ["format-role", "format-key"]
    assert shown["findings"][1]["rows"][0]["line"] == 23
    assert cli("check", write_lines(tmp_path / "y.jsonl", good_chats())).code == 0
