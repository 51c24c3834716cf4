"""What a job's files hold: whether it is what the method trains on, and all that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.data.chat.canonical import conversation_row, preference_row
from tunewright.data.chat.conversation import written
from tunewright.data.chat.problem import Problem
from tunewright.data.chat.rules import NOTES, problems

FEWEST = 10
SHOWN_PROBLEMS = 20
KINDS = {"text-generation": "chat", "preference": "preference"}
_WORDS = {
    "chat": "chat messages or prompt/completion pairs",
    "preference": "preferences",
}


@dataclass(frozen=True)
class Flaw:
    """Why a job fails: a code, a message and the field that names the file, as hosted."""

    code: str
    message: str
    param: str

    def as_error(self) -> dict[str, Any]:
        """The job's `error`."""
        return {"code": self.code, "message": self.message, "param": self.param}


def find_flaw(path: Path, task: str, *, param: str) -> Flaw | None:
    """What is wrong with a file, for this task; None where nothing is.

    Args:
        path: JSONL, every line of which is an object. param: training_file or validation_file.
    """
    is_training = param == "training_file"
    name = "Training file" if is_training else "Validation file"
    bad = "invalid_training_file" if is_training else "invalid_validation_file"
    told: list[str] = []
    wrong, count = 0, 0
    for line, row in _rows(path):
        count += 1
        if task in KINDS:
            other = _other_kind(row, KINDS[task])
            if other is not None:
                return Flaw(bad, f"{name}, line {line}: {other}", param)
            met = list(_problems(row, KINDS[task]))
            wrong += bool(met)
            told += [_told(count, line, each) for each in met[: SHOWN_PROBLEMS - len(told)]]
    if wrong:
        more = f" ({wrong} of {count} examples are wrong; the first problems are shown)"
        head = "The job failed due to an invalid training file. " if is_training else ""
        return Flaw(bad, f"{head}Invalid file format. {' '.join(told)}{more}", param)
    if count < (FEWEST if is_training else 1):
        least = FEWEST if is_training else 1
        told_few = f"{name} has {count} example(s), but must have at least {least} examples"
        return Flaw("invalid_n_examples", told_few, param)
    return None


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))


def _kind(row: dict[str, Any]) -> str | None:
    if {"preferred_output", "non_preferred_output"} & set(row):
        return "preference"
    if "messages" in row or {"prompt", "completion"} <= set(row):
        return "chat"
    return None


def _other_kind(row: dict[str, Any], wanted: str) -> str | None:
    """Why a row is none of the wanted kind; None where it is meant as one."""
    kind = _kind(row)
    if kind == wanted:
        return None
    if kind is None:
        missing = "messages" if wanted == "chat" else "input"
        return (
            f"Unexpected file format, expected {_WORDS[wanted]}: "
            f"the example is missing key '{missing}'"
        )
    method = "supervised" if wanted == "chat" else "dpo"
    other = "dpo" if wanted == "chat" else "supervised"
    return (
        f"Input file is in the {_WORDS[kind]} format, but the specified fine-tuning job is not "
        f"using '{other}' as the training method (provided method={method})."
    )


def _problems(row: dict[str, Any], kind: str) -> Iterator[Problem]:
    if kind == "chat":
        text = written(conversation_row(row, beside=_beside(row)))
    elif {"input", "preferred_output", "non_preferred_output"} <= set(row):
        given = {
            "messages": row["input"],
            "chosen": row["preferred_output"],
            "rejected": row["non_preferred_output"],
        }
        more = {key: row[key] for key in row if key not in ("input", *_OUTPUTS)}
        text = written({**preference_row(given), **more})
    else:
        text = written({"input": row.get("input"), **row})
    yield from (each for each in problems(text) if each.code not in NOTES)


_OUTPUTS = ("preferred_output", "non_preferred_output")


def _beside(row: dict[str, Any]) -> Sequence[str]:
    return [key for key in row if key not in ("messages", "tools", "prompt", "completion")]


def _told(example: int, line: int, problem: Problem) -> str:
    where = f", {problem.field}" if problem.field else ""
    return f"Example {example}, line {line}{where}: {problem.message}; {problem.fix}."
