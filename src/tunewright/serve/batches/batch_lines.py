"""The requests of a batch: a line of its input file each, all that is wrong with them told."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tunewright.serve.strict_json import read_json

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
MOST_REQUESTS = 50_000
MOST_EMBEDDED = 50_000
MOST_TOLD = 1000
LONGEST_ID = 512
_FIELDS = ("custom_id", "method", "url", "body")

Problem = dict[str, Any]
"""`{code, message, param, line}`"""


@dataclass(frozen=True)
class Place:
    """Where a request lies in the file: the byte that it begins at."""

    custom_id: str
    start: int
    model: str | None


@dataclass
class _Seen:
    """What lines before said."""

    lines_of_ids: dict[str, int]
    embedded: int = 0


def read_places(path: Path, endpoint: str) -> tuple[list[Place], list[Problem]]:
    """Where each request is, and what is wrong with any of them.

    Args:
        endpoint: the only one that they may ask.
    """
    places, problems, seen = list[Place](), list[Problem](), _Seen({})
    with path.open("rb") as file:
        for number, start, line in _lines(file):
            if len(places) == MOST_REQUESTS:
                told = f"A batch has {MOST_REQUESTS:,} requests at most"
                problems.append(_problem("too_many_requests", told, None, number))
                break
            asked = _object(line, number)
            wrong = list(_wrong(asked, endpoint, number, seen)) if asked is not None else []
            if asked is None:
                told = "This line is no JSON object"
                wrong.append(_problem("invalid_json_line", told, None, number))
            problems += wrong
            if not wrong and asked is not None:
                model = asked["body"].get("model")
                known = model if isinstance(model, str) else None
                places.append(Place(asked["custom_id"], start, known))
    if not places and not problems:
        problems.append(_problem("empty_file", "The file has no requests", None, None))
    return places, _shortened(problems)


def read_body(file: BinaryIO, place: Place) -> dict[str, Any]:
    """The body of one request."""
    file.seek(place.start)
    asked = _object(file.readline(), 1 if place.start == 0 else 2)
    body: dict[str, Any] = asked["body"] if asked is not None else {}
    return body


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Number, first byte, and the line; those without anything in them are left out."""
    start = 0
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield number, start, line
        start += len(line)


def _object(line: bytes, number: int) -> dict[str, Any] | None:
    try:
        found = read_json(line.removeprefix(BOM_UTF8) if number == 1 else line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _wrong(asked: Mapping[str, Any], endpoint: str, number: int, seen: _Seen) -> Iterator[Problem]:
    for name in (each for each in asked if each not in _FIELDS):
        yield _problem("unknown_parameter", f"Unknown parameter: '{name}'", name, number)
    for name in (each for each in _FIELDS if each not in asked):
        told = f"Missing required parameter: '{name}'"
        yield _problem("missing_required_parameter", told, name, number)
    yield from _wrong_id(asked, number, seen)
    if asked.get("method", "POST") != "POST":
        yield _problem("invalid_method", "method should be 'POST'", "method", number)
    if asked.get("url", endpoint) != endpoint:
        told = f"url should be '{endpoint}', which is the batch's endpoint"
        yield _problem("invalid_url", told, "url", number)
    if "body" in asked:
        yield from _wrong_body(asked["body"], endpoint, number, seen)


def _wrong_id(asked: Mapping[str, Any], number: int, seen: _Seen) -> Iterator[Problem]:
    if "custom_id" not in asked:
        return
    given = asked["custom_id"]
    if not isinstance(given, str) or not 1 <= len(given) <= LONGEST_ID:
        told = f"custom_id should be a text of 1 to {LONGEST_ID} characters"
        yield _problem("invalid_custom_id", told, "custom_id", number)
        return
    first = seen.lines_of_ids.setdefault(given, number)
    if first != number:
        told = f"The custom_id '{given[:80]}' is that of line {first}; each is of one request"
        yield _problem("duplicate_custom_id", told, "custom_id", number)


def _wrong_body(body: Any, endpoint: str, number: int, seen: _Seen) -> Iterator[Problem]:
    if not isinstance(body, dict):
        yield _problem("invalid_body", "body should be an object", "body", number)
        return
    for name in ("stream", "background"):
        if body.get(name):
            told = f"{name} has no meaning in a batch; leave it out"
            yield _problem("invalid_body", told, f"body.{name}", number)
    if endpoint == "/v1/embeddings":
        given = body.get("input")
        several = isinstance(given, list) and not all(isinstance(each, int) for each in given)
        seen.embedded += len(given) if several and isinstance(given, list) else 1
        if seen.embedded > MOST_EMBEDDED:
            told = f"A batch has {MOST_EMBEDDED:,} inputs of embeddings at most"
            yield _problem("too_many_inputs", told, "body.input", number)


def _problem(code: str, message: str, param: str | None, line: int | None) -> Problem:
    return {"code": code, "message": message, "param": param, "line": line}


def _shortened(problems: list[Problem]) -> list[Problem]:
    more = len(problems) - MOST_TOLD
    if more <= 0:
        return problems
    told = f"{more:,} more problems are not told"
    return [*problems[:MOST_TOLD], _problem("more_problems", told, None, None)]
