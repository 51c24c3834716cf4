"""Every form of chats, pairs and preferences is recognised, and equal content is the same text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tiny_chats import write_lines
from tunewright.checking import check
from tunewright.data.chat.canonical import conversation_row
from tunewright.data.chat.conversation import written
from tunewright.data.chat.rules import problems
from tunewright.data.prepare import rows_of_parts
from tunewright.data.read import read_data
from tunewright.data.rows import Rows
from tunewright.errors import DataError
from tunewright.recipe.schema import Columns, Data

Row = dict[str, Any]
COUNT = 24
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def said(role: str, content: str) -> Row:
    return {"role": role, "content": content}


def turn(speaker: str, value: str) -> Row:
    return {"from": speaker, "value": value}


ASKED, YES, NO = said("user", "why?"), said("assistant", "so."), said("assistant", "no.")
CHAT = {"messages": [ASKED, YES]}
CALL = {"id": "call_0", "type": "function"} | {
    "function": {"name": "find", "arguments": '{"id": 5}'}
}
PREFERENCE = {"input": {"messages": [ASKED]}, "preferred_output": [YES]} | {
    "non_preferred_output": [NO]
}
WITH_SYSTEM = {"messages": [said("system", "be short"), ASKED, YES]}
IN_PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": "wh"}, {"type": "text", "text": "y?"}],
}
FORMS: dict[str, tuple[Row, Row]] = {
    "openai": (CHAT, CHAT),
    "openai, other order": ({"messages": [{"content": "why?", "role": "user"}, YES]}, CHAT),
    "openai, nulls": ({"messages": [ASKED | {"name": None}, YES | {"weight": None}]}, CHAT),
    "openai, parts": ({"messages": [IN_PARTS, YES]}, CHAT),
    "openai, no tools": (CHAT | {"tools": [], "parallel_tool_calls": None}, CHAT),
    "openai, id": (CHAT | {"id": 7, "source": "web"}, CHAT),
    "openai, tools": (
        {"parallel_tool_calls": False, "tools": [TOOL], **CHAT},
        CHAT | {"tools": [TOOL], "parallel_tool_calls": False},
    ),
    "openai, text of tools": (CHAT | {"tools": json.dumps([TOOL])}, CHAT | {"tools": [TOOL]}),
    "openai, system": (WITH_SYSTEM, WITH_SYSTEM),
    "text of openai": ({"messages": json.dumps(CHAT["messages"])}, CHAT),
    "sharegpt": ({"conversations": [turn("human", "why?"), turn("gpt", "so.")]}, CHAT),
    "sharegpt, roles": ({"conversations": [ASKED, YES]}, CHAT),
    "sharegpt, one": ({"conversation": [turn("user", "why?"), turn("assistant", "so.")]}, CHAT),
    "sharegpt, system": (
        {"system": "be short", "conversations": [turn("human", "why?"), turn("gpt", "so.")]},
        WITH_SYSTEM,
    ),
    "sharegpt, calls": (
        {
            "conversations": [
                turn("human", "why?"),
                turn("function_call", '{"name": "find", "arguments": {"id": 5}}'),
                turn("observation", "in Oslo"),
                turn("gpt", "so."),
            ],
            "tools": json.dumps([TOOL["function"]]),
        },
        {
            "messages": [
                ASKED,
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "content": "in Oslo", "tool_call_id": "call_0"},
                YES,
            ],
            "tools": [TOOL],
        },
    ),
    "alpaca": ({"instruction": "why?", "input": "", "output": "so."}, CHAT),
    "alpaca, input": (
        {"instruction": "translate", "input": "ja", "output": "yes"},
        {"messages": [said("user", "translate\n\nja"), said("assistant", "yes")]},
    ),
    "prompt": ({"prompt": "why?", "completion": "so."}, CHAT),
    "question": ({"question": "why?", "answer": "so."}, CHAT),
    "query": ({"Query": "why?", "Response": "so."}, CHAT),
    "openai preference": (PREFERENCE, PREFERENCE),
    "openai preference, tools": (
        PREFERENCE | {"input": {"parallel_tool_calls": True, "tools": [TOOL], "messages": [ASKED]}},
        PREFERENCE | {"input": {"messages": [ASKED], "tools": [TOOL], "parallel_tool_calls": True}},
    ),
    "trl, texts": ({"prompt": "why?", "chosen": "so.", "rejected": "no."}, PREFERENCE),
    "trl, explicit": ({"prompt": [ASKED], "chosen": [YES], "rejected": [NO]}, PREFERENCE),
    "trl, implicit": ({"chosen": [ASKED, YES], "rejected": [ASKED, NO]}, PREFERENCE),
    "trl, prompt again": (
        {"prompt": "why?", "chosen": [ASKED, YES], "rejected": [ASKED, NO]},
        PREFERENCE,
    ),
    "trl, tools": (
        {"prompt": "why?", "chosen": "so.", "rejected": "no.", "tools": [TOOL]},
        PREFERENCE | {"input": {"messages": [ASKED], "tools": [TOOL]}},
    ),
    "question preference": ({"question": "why?", "chosen": "so.", "rejected": "no."}, PREFERENCE),
    "sharegpt preference": (
        {
            "conversations": [turn("human", "why?")],
            "chosen": turn("gpt", "so."),
            "rejected": turn("gpt", "no."),
        },
        PREFERENCE,
    ),
}


def vary(value: Any, number: int) -> Any:
    """The same row, but with other words, so that no two rows are the same."""
    if isinstance(value, str):
        return value.replace("?", f" {number}?").replace("so.", f"so {number}.")
    if isinstance(value, dict):
        return {key: vary(each, number) for key, each in value.items()}
    return [vary(each, number) for each in value] if isinstance(value, list) else value


def read(path: Path, task: str = "auto", **columns: Any) -> tuple[Rows, str, dict[str, Any]]:
    rows, found = rows_of_parts(read_data(str(path)), Data(columns=Columns(**columns)), task)
    return rows["all"], found.task, found.in_recipe


def texts(expected: Row, count: int = COUNT) -> list[str]:
    whole: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}
    return [json.dumps(vary(expected, number), **whole) for number in range(count)]


def file_of(folder: Path, row: Row) -> Path:
    """Rows of the form, with other words in each."""
    return write_lines(folder / "x.jsonl", [vary(row, number) for number in range(COUNT)])


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_recognised_and_written_in_one_way(name: str, tmp_path: Path) -> None:
    given, expected = FORMS[name]
    path = file_of(tmp_path, given)
    asked = "text-generation" if name == "alpaca, input" else "auto"
    rows, task, _ = read(path, asked)
    assert task == ("preference" if "input" in expected else "text-generation")
    assert list(rows.texts) == texts(expected)
    assert rows.labels is None


@pytest.mark.parametrize("name", FORMS)
def test_the_resolved_columns_give_the_same_rows_again(name: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, FORMS[name][0])
    rows, task, columns = read(path, "text-generation" if name == "alpaca, input" else "auto")
    again, task_again, columns_again = read(path, task, **columns)
    assert (list(again.texts), again.ids, task_again) == (list(rows.texts), rows.ids, task)
    assert columns_again == columns


def test_calls_of_sharegpt_are_answered_in_their_order() -> None:
    both = json.dumps([{"name": "find", "arguments": {}}, {"name": "lose"}])
    spoken = [
        turn("human", "why?"),
        turn("function_call", both),
        turn("observation", "1"),
        turn("observation", "2"),
        turn("function_call", '{"name": "find", "arguments": "{}"}'),
        turn("observation", "3"),
        turn("gpt", "so."),
    ]
    messages = conversation_row({"messages": spoken})["messages"]
    ids = [[call["id"] for call in each.get("tool_calls", ())] for each in messages]
    assert ids == [[], ["call_0", "call_1"], [], [], ["call_2"], [], []]
    results = [each["tool_call_id"] for each in messages if each["role"] == "tool"]
    assert results == ["call_0", "call_1", "call_2"]
    assert problems(written({"messages": messages})) == []


def test_a_call_of_sharegpt_that_is_no_json_is_named_by_its_result() -> None:
    spoken = [turn("human", "why?"), turn("function_call", "{"), turn("observation", "1"), YES]
    (problem,) = problems(written(conversation_row({"messages": spoken})))
    assert (problem.code, problem.field) == ("format-answer", "messages[2].tool_call_id")


@pytest.mark.parametrize("name", [name for name in FORMS if name != "alpaca, input"])
def test_nothing_is_wrong_with_any_form(name: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, FORMS[name][0])
    assert check(path)["findings"] == []


@pytest.mark.parametrize("name", ["openai", "openai, nulls", "openai, tools", "sharegpt"])
def test_parquet_gives_the_rows_that_json_gives(name: str, tmp_path: Path) -> None:
    given, expected = FORMS[name]
    rows = [vary(given, number) for number in range(COUNT)]
    if name == "openai, tools":
        rows = [row | {"tools": json.dumps(row["tools"])} for row in rows]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    found, task, _ = read(tmp_path / "x.parquet")
    assert task == "text-generation"
    assert list(found.texts) == texts(expected)


def test_parallel_tool_calls_is_read_as_true_or_false_beside_other_values(tmp_path: Path) -> None:
    rows = [CHAT | {"tools": [TOOL], "parallel_tool_calls": value} for value in (True, False, "x")]
    found, _, _ = read(write_lines(tmp_path / "x.jsonl", rows))
    values = [json.loads(text)["parallel_tool_calls"] for text in found.texts]
    assert values == [True, False, "x"]


def test_plain_texts_are_read_where_the_task_is_asked_for(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", [{"text": f"line {n}"} for n in range(COUNT)])
    rows, task, columns = read(path, "text-generation")
    assert (task, rows.reads) == ("text-generation", "chat")
    assert list(rows.texts) == [f'{{"text":"line {n}"}}' for n in range(COUNT)]
    assert list(read(path, task, **columns)[0].texts) == list(rows.texts)
    with pytest.raises(DataError, match="label"):
        read(path)


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        (("text", "label"), ("pos", "neg")),
        (("question", "answer"), ("yes", "no")),
        (("input", "output"), ("pos", "neg")),
        (("messages", "label"), ("pos", "neg")),
        (("conversation", "label"), ("pos", "neg")),
        (("content", "category"), ("pos", "neg")),
    ],
)
def test_texts_with_few_different_answers_stay_classification(
    columns: Sequence[str], labels: Sequence[str], tmp_path: Path
) -> None:
    first, second = columns
    rows = [{first: f"what of the large parcel {n}?", second: labels[n % 2]} for n in range(COUNT)]
    path = write_lines(tmp_path / "x.jsonl", rows)
    found, task, _ = read(path)
    assert task == "text-classification"
    assert found.labels == [labels[n % 2] for n in range(COUNT)]
    assert check(path)["findings"] == []


def test_a_preference_of_which_some_rows_are_broken_is_still_one(tmp_path: Path) -> None:
    rows = [vary(PREFERENCE, n) for n in range(COUNT)]
    broken = [{"input": "why?"}, {"input": 5, "preferred_output": "x"}, {}]
    path = write_lines(tmp_path / "x.jsonl", [*rows, *broken[:2], {"other": 1}])
    assert read(path)[1] == "preference"
    codes = {finding["code"] for finding in check(path)["findings"]}
    assert {"format-messages", "format-content"} <= codes


def test_the_wrong_task_for_the_columns_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, CHAT)
    with pytest.raises(DataError, match="no column holds what preference needs"):
        read(path, "preference")


@pytest.mark.parametrize("without", ["train", "validation"])
def test_tools_of_one_part_alone_are_read(tmp_path: Path, without: str) -> None:
    tools = [{"type": "function", "function": {"name": "weather"}}]
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    for part in ("train", "validation"):
        row = {"messages": turns} | ({} if part == without else {"tools": tools})
        (tmp_path / f"{part}.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    rows, _ = rows_of_parts(read_data(str(tmp_path)), Data())
    found = {part: "tools" in json.loads(some.texts[0]) for part, some in rows.items()}
    assert found == {"train": without != "train", "validation": without != "validation"}
