"""What an uploaded file may be: its purpose, its life, and that every line is a JSON object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tunewright.serve.answers import ApiError
from tunewright.serve.strict_json import read_json

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
OF_LINES = ("batch", "fine-tune", "evals")
"""Purposes whose files are JSONL."""
MOST_BATCH_BYTES = 200 << 20
LEAST_LIFE_S, MOST_LIFE_S = 3600, 2_592_000
EXPIRES = ("expires_after[anchor]", "expires_after[seconds]")
LONGEST_LINE_BYTES = 32 << 20
"""One example, or one request: as much as a request may have outside of a batch."""
SHOWN = 40
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def refuse_unknown(fields: Mapping[str, str], known: Sequence[str] = ()) -> None:
    """Raise ApiError for a field of a form that is none of those that are known."""
    for name in fields:
        if name not in known:
            raise ApiError(400, f"Unknown parameter: '{name}'", name, "unknown_parameter")


def read_purpose(purpose: str | None) -> str:
    """The purpose, where it is one.

    Raises:
        ApiError: it is missing, or another.
    """
    if purpose is None:
        told = "Missing required parameter: 'purpose'"
        raise ApiError(400, told, "purpose", "missing_required_parameter")
    if purpose not in PURPOSES:
        told = f"'{purpose[:SHOWN]}' is not one of {', '.join(PURPOSES)}"
        raise ApiError(400, told, "purpose", "invalid_value")
    return purpose


def plain_name(given: str, param: str) -> str:
    """The name of a file without the folders before it.

    >>> plain_name("data\\\\chats.jsonl", "file")
    'chats.jsonl'

    Raises:
        ApiError: it leads out of a folder, or holds control characters.
    """
    parts = given.replace("\\", "/").split("/")
    if ".." in parts or _CONTROL.search(given):
        told = "The name of a file holds no '..' and no control characters"
        raise ApiError(400, told, param, "invalid_value")
    return parts[-1]


def refuse_name(purpose: str, filename: str) -> None:
    """Raise ApiError where the name of a file does not fit its purpose."""
    if not filename:
        raise ApiError(400, "The file has no name", "file", "invalid_value")
    if purpose in ("fine-tune", "batch") and not filename.lower().endswith(".jsonl"):
        told = f"Files for {purpose} end in .jsonl, and this is '{filename[-SHOWN:]}'"
        raise ApiError(400, told, "file", "invalid_file_format")


def read_life_s(fields: Mapping[str, str]) -> int | None:
    """Seconds that a file lives, by the fields of its upload; None for ever.

    Raises:
        ApiError: out of range, or half of it is missing.
    """
    anchor, seconds = (fields.get(name) for name in EXPIRES)
    if anchor is None and seconds is None:
        return None
    if not re.fullmatch("[0-9]{1,9}", seconds or ""):
        told = "expires_after.seconds should be a whole number"
        raise ApiError(400, told, "expires_after.seconds", "invalid_value")
    return life_s(anchor, int(seconds or ""))


def life_s(anchor: str | None, seconds: int) -> int:
    """The seconds, where both are as they may be."""
    if anchor != "created_at":
        told = "expires_after.anchor should be 'created_at'"
        raise ApiError(400, told, "expires_after.anchor", "invalid_value")
    if not LEAST_LIFE_S <= seconds <= MOST_LIFE_S:
        told = f"expires_after.seconds should be {LEAST_LIFE_S} to {MOST_LIFE_S}"
        raise ApiError(400, told, "expires_after.seconds", "invalid_value")
    return seconds


def refuse_other_lines(path: Path) -> None:
    """Raise ApiError naming the first line that is no JSON object; empty lines at the end are none.

    Raises:
        ApiError: see above, or there is no line at all.
    """
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(
            iter(lambda: file.readline(LONGEST_LINE_BYTES), b""), start=1
        ):
            if len(line) == LONGEST_LINE_BYTES:
                told = f"Line {number} is longer than {LONGEST_LINE_BYTES:,} bytes"
                raise ApiError(400, told, "file", "invalid_file_format")
            if not line.strip():
                continue
            count += 1
            _refuse_line(line, number)
    if not count:
        raise ApiError(400, "The file has no lines", "file", "invalid_file_format")


def _refuse_line(line: bytes, number: int) -> None:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        is_object = isinstance(read_json(text.rstrip("\r\n").encode()), dict)
        reason = "is not a dictionary"
    except UnicodeDecodeError as error:
        is_object, reason = False, f"is not UTF-8 at its byte {error.start + 1}"
    except ValueError as error:
        is_object, reason = (
            False,
            f"is not valid JSON: {error}".replace(" line 1 column ", " its byte "),
        )
    if not is_object:
        start = line[:SHOWN].decode("utf-8", "replace").strip()
        told = (
            "Expected file to have JSONL format, where every line is a (valid) JSON dictionary. "
            f'Line {number} {reason} (HINT: line starts with: "{start}...").'
        )
        raise ApiError(400, told, "file", "invalid_file_format")
