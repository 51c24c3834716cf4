"""What the stand-in's models answer: untouched nothing of use, trained what the nearest row did."""

from __future__ import annotations

import json
from typing import Any


def rows_of(content: bytes) -> list[tuple[set[str], dict[str, Any]]]:
    """(words of the question, answer) of each row of a training file."""
    found = []
    for line in content.decode().splitlines():
        row = json.loads(line)
        asked = row.get("input", row)["messages"]
        answer = (row.get("preferred_output") or row["messages"])[-1]
        found.append((_words(asked if "input" in row else asked[:-1]), answer))
    return found


def answer_of(
    learned: list[tuple[set[str], dict[str, Any]]] | None, messages: list[dict[str, Any]]
) -> dict[str, Any]:
    """The assistant's message to a conversation."""
    if learned is None:
        return {"role": "assistant", "content": "I do not know that."}
    asked = _words(messages)

    def nearness(row: tuple[set[str], dict[str, Any]]) -> float:
        return len(asked & row[0]) / max(1, len(asked | row[0]))

    answer = max(learned, key=nearness)[1]
    said = {"role": "assistant", "content": answer.get("content")}
    if answer.get("tool_calls"):
        said["tool_calls"] = answer["tool_calls"]
    return said


def _words(messages: list[dict[str, Any]]) -> set[str]:
    users = [str(each.get("content") or "") for each in messages if each["role"] == "user"]
    return set(" ".join(users[-1:]).lower().split())
