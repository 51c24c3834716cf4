"""What is wrong with a row is told under the names of the user's own file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewright.checking import check

TURNS = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]


def rows_of(bad: dict[str, Any], good: dict[str, Any]) -> list[dict[str, Any]]:
    """One bad row, behind good ones that differ."""
    several = [json.loads(json.dumps(good).replace("So.", f"So {n}.")) for n in range(30)]
    return [*several, bad]


ALPACA = {"instruction": "Say why.", "input": "", "output": "So."}
SYSTEM = {"system": "Be kind.", "question": "Why?", "answer": "So."}
TEXTS = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
LISTS = {"chosen": TURNS, "rejected": [TURNS[0], {"role": "assistant", "content": "No."}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}
EXPLICIT = {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": LISTS["rejected"][1:]}
EMPTY_LIST = [TURNS[0], {"role": "assistant", "content": ""}]


@pytest.mark.parametrize(
    ("good", "changed", "field"),
    [
        (ALPACA, {"output": ""}, "output"),
        (ALPACA, {"instruction": ""}, "instruction"),
        (SYSTEM, {"answer": " "}, "answer"),
        (SYSTEM, {"question": ""}, "question"),
        (TEXTS, {"chosen": ""}, "chosen"),
        (TEXTS, {"rejected": ""}, "rejected"),
        (TEXTS, {"prompt": ""}, "prompt"),
        (EXPLICIT, {"prompt": [TURNS[0] | {"content": ""}]}, "prompt[0].content"),
        (LISTS, {"rejected": EMPTY_LIST}, "rejected[0].content"),
        (SHAREGPT, {"conversations": []}, "conversations"),
        (
            {"messages": TURNS},
            {"messages": [TURNS[0], {"role": "assistant", "content": ""}]},
            "messages[1].content",
        ),
    ],
)
def test_a_wrong_field_is_named_as_the_file_has_it(
    good: dict[str, Any], changed: dict[str, Any], field: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    lines = rows_of(good | changed, good)
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    found = check(path)
    told = [
        (row["line"], row["field"])
        for finding in found["findings"]
        if finding["code"].startswith("format-") and finding["severity"] == "error"
        for row in finding["rows"]
    ]
    assert (31, field) in told
    assert all(number == 31 for number, _ in told)
