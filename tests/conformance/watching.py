"""Every answer of every test is held against the published schema of its path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
from jsonschema import ValidationError
from published import AS_HOSTED, REF, STREAMS, UNSAID, beyond, conforms, schema_of

ERROR_KEYS = {"message", "type", "param", "code"}


class Watch:
    """What was answered, and what was wrong with it.

    A client takes an exception of whoever looks for one of the wire, and asks again: what is found
    is kept, and told when the test ends.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self.problems: list[str] = []
        self.schemas: set[str] = set()
        self.extensions: set[str] = set()

    def look(self, response: httpx.Response) -> None:
        """Hold an answer, which is read, against the specification."""
        method = response.request.method
        path = response.request.url.path.partition("/v1")[2]
        self.seen.append((method, path, response.status_code))
        for wrong in self._wrong(response, method, path):
            self.problems.append(f"{method} {path} answered {response.status_code}: {wrong}")

    def _wrong(self, response: httpx.Response, method: str, path: str) -> Iterator[str]:
        if not response.headers.get("x-request-id"):
            yield "no x-request-id"
        kind = response.headers.get("content-type", "")
        if not response.is_success:
            yield from _wrong_error(response)
        elif kind.startswith("text/event-stream"):
            for line in response.text.splitlines():
                data = line.removeprefix("data: ")
                if data != line and data != "[DONE]":
                    yield from self._hold(json.loads(data), STREAMS.get(path))
        elif kind.startswith("application/json"):
            yield from self._hold(response.json(), schema_of(method, path))

    def _hold(self, value: Any, name: str | None) -> Iterator[str]:
        if name is None:
            yield "the API has no such answer"
        if name in (None, UNSAID):
            return
        assert name is not None
        try:
            conforms(value, name)
        except ValidationError as error:
            yield f"no {name}: at {error.json_path}: {error.message[:500]}"
        self.schemas.add(name)
        more = beyond(value, {"$ref": REF + name})
        self.extensions |= {each for each in more if each.split(".")[-1] not in AS_HOSTED}


def _wrong_error(response: httpx.Response) -> Iterator[str]:
    try:
        body = response.json()
        conforms(body, "ErrorResponse")
    except (ValueError, ValidationError) as error:
        yield f"no error body: {str(error)[:500]}"
        return
    if set(body) != {"error"} or set(body["error"]) != ERROR_KEYS:
        yield f"an error body of other fields: {body}"
