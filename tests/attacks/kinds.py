"""The nine kinds of attack: what each sends to a route, and what is an answer to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from attacks.targets import BOUNDARY, Target
from attacks.wire import Request
from attacks.world import World

SECRET_WORD = "surprise-5a1b"
HOSTS = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:80",
    "[::1].evil.example",
    "evil@127.0.0.1",
    "",
)
ORIGINS = (
    "http://evil.example",
    "https://127.0.0.1.evil.example",
    "http://127.0.0.1:1",
    "null",
    "file://",
    "http://[",
)
NOT_JSON = {
    "cut off": b'{"model": "tiny", ',
    "a word": b"hello",
    "nothing": b"",
    "NaN": b'{"model": NaN}',
    "beyond all numbers": b'{"model": 1e999}',
    "a key twice": b'{"model": "a", "model": "b"}',
    "nested without end": b'{"model": ' * 5000,
    "100,000 digits": b'{"model": ' + b"1" * 100_000 + b"}",
    "half a letter": b'{"model": "\\ud800"}',
    "NUL in a text": b'{"model": "a\\u0000b"}',
    "no UTF-8": b'{"model": "\xff"}',
    "UTF-16": '{"model": "a"}'.encode("utf-16"),
    "two at once": b'{"model": "a"} {"model": "b"}',
    "a list": b"[]",
}
_PART = f"--{BOUNDARY}\r\ncontent-disposition: form-data; name=".encode()
NOT_FORM = {
    "no form": b"hello",
    "nothing": b"",
    "cut off": _PART + b'"file"; filename="a.jsonl"\r\n\r\n{}',
    "no file": f"--{BOUNDARY}--\r\n".encode(),
    "a header without end": f"--{BOUNDARY}\r\nx: ".encode() + b"x" * 100_000,
    "a thousand parts": b"".join(_PART + b'"a%d"\r\n\r\n1\r\n' % n for n in range(1000)),
    "a field without end": _PART + b'"purpose"\r\n\r\n' + b"x" * 100_000,
}
NAMES = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "..%5c..%5cwindows%5cwin.ini",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    "..",
    "%2e%2e",
    "a%00.jsonl",
    "~root",
    "a" * 5000,
    "%f0%9f%92%a9",
    "'%20OR%20'1'='1",
)
NAMING = ("model", "training_file", "validation_file", "input_file_id", "part_ids")
NAMING += ("previous_response_id",)
NAMES_IN_BODIES = ("../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..", "~root")
FILENAMES = ("../../../../etc/a.jsonl", "..\\..\\a.jsonl", "a/../../a.jsonl", "a\x01.jsonl", "..")


@dataclass(frozen=True)
class Attempt:
    """One request.

    Args:
        told: what is wrong with it.
        statuses: that are an answer to it.
        names: what the message has to name.
    """

    told: str
    request: Request
    statuses: tuple[int, ...]
    names: str = ""


def no_key(world: World, target: Target) -> Iterator[Attempt]:
    """No key at all, and one where none is looked for."""
    proper = world.proper(target).without_key()
    yield Attempt("none", proper, (401,))
    yield Attempt("in the query", _asked(proper, f"api_key={world.key}"), (401,))
    yield Attempt("in a cookie", proper.with_headers(cookie=f"key={world.key}"), (401,))


def wrong_key(world: World, target: Target) -> Iterator[Attempt]:
    """Keys that are none, and one that holds no more."""
    for told, given in {
        "another": "Bearer sk-tw-" + "x" * 43,
        "one that was taken away": f"Bearer {world.revoked}",
        "one letter less": f"Bearer {world.key[:-1]}",
        "one letter more": f"Bearer {world.key}x",
        "another case": f"Bearer {world.key.swapcase()}",
        "no word before it": world.key,
        "another way": f"Basic {world.key}",
        "no ASCII": "Bearer \xff",
        "nothing": "Bearer",
        "two": f"Bearer {world.key}, {world.key}",
    }.items():
        yield Attempt(told, world.proper(target).with_headers(authorization=given), (401,))


def foreign_host(world: World, target: Target) -> Iterator[Attempt]:
    """A name that is not the server's, with a key that holds."""
    for host in HOSTS:
        yield Attempt(host, world.proper(target).with_headers(host=host), (403,))


def foreign_origin(world: World, target: Target) -> Iterator[Attempt]:
    """A page of another server, with a key that holds."""
    for origin in ORIGINS:
        yield Attempt(origin, world.proper(target).with_headers(origin=origin), (403,))


def oversized(world: World, target: Target) -> Iterator[Attempt]:
    """A body that is too large: it says so, or it does not."""
    proper = replace(world.proper(target), body=None)
    for length in (80 << 20, 10**18):
        yield Attempt(f"{length} announced", replace(proper, announced=length), (413,))
    yield Attempt("no number", replace(proper, announced=10**30), (400,))
    parts_are_large = target.path.endswith("/parts")  # 65 MiB would only take long
    if target.schema is not None and not parts_are_large:
        pieces = [
            target.body({}) if not target.is_form else _PART + b'"file"; filename="a"\r\n\r\n'
        ]
        pieces += [b" " * (1 << 16)] * 40
        yield Attempt("nothing announced", replace(proper, body=pieces), (413,))


def slow_body(world: World, target: Target) -> Iterator[Attempt]:
    """A body that begins, and does not go on."""
    proper = world.proper(target)
    whole = proper.body
    assert isinstance(whole, bytes)
    for told, sent in (("stands still", whole[:1]), ("never begins", b"")):
        yield Attempt(told, replace(proper, body=sent, announced=len(whole)), (408,))


def malformed(world: World, target: Target) -> Iterator[Attempt]:
    """A body that is not what it says."""
    proper = world.proper(target)
    for told, body in (NOT_FORM if target.is_form else NOT_JSON).items():
        yield Attempt(told, replace(proper, body=body), (400, 413))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json;;=\xff"):
        if not (kind.startswith("application/json") and not target.is_form):
            yield Attempt(kind, proper.with_headers(content_type=kind), (400,))


def unknown_field(world: World, target: Target) -> Iterator[Attempt]:
    """A field that there is not, in the query and in the body."""
    proper = world.proper(target)
    asked = _asked(proper, f"{SECRET_WORD}=1")
    yield Attempt("in the query", asked, (400,), names=SECRET_WORD)
    if target.schema is not None:
        body = target.body({**target.example(world.known), SECRET_WORD: "1"})
        yield Attempt("in the body", replace(proper, body=body), (400,), names=SECRET_WORD)


def traversal(world: World, target: Target) -> Iterator[Attempt]:
    """Names that would lead to other files, if they led anywhere."""
    proper = world.proper(target)
    for parameter in target.parameters:
        for name in NAMES:
            known = {each: str(world.known.get(each)) for each in target.parameters}
            path = target.path.format(**{**known, parameter: name})
            yield Attempt(f"{parameter} {name[:40]}", replace(proper, target=path), (400, 404, 405))
    for field, names in _naming(target):
        for name in names:
            body = _naming_body(world, target, field, name)
            yield Attempt(f"{field} {name!r}", replace(proper, body=body), (400, 404))


def _naming(target: Target) -> Iterator[tuple[str, tuple[str, ...]]]:
    schema = target.schema or {}
    if "$ref" in schema:
        schema = target.parts[schema["$ref"].rpartition("/")[2]]
    if target.is_form:
        yield "filename", FILENAMES
    for field in schema.get("properties", {}):
        if field == "filename":
            yield field, FILENAMES
        elif field in NAMING:
            yield field, NAMES_IN_BODIES


def _naming_body(world: World, target: Target, field: str, name: str) -> bytes:
    fields = target.example(world.known)
    if target.is_form:
        return target.body(fields, filename=name.replace("\\", "\\\\"))
    return target.body({**fields, field: [name] if field == "part_ids" else name})


def _asked(request: Request, query: str) -> Request:
    return replace(request, target=f"{request.target}?{query}")


def _has_body(target: Target) -> str:
    return "" if target.schema is not None else "it reads no body"


def _has_key(target: Target) -> str:
    return "it asks for no key" if target.is_open else ""


def _has_names(target: Target) -> str:
    names = target.parameters or list(_naming(target))
    return "" if names else "nothing in it is a name"


def _always(_: Target) -> str:
    return ""


@dataclass(frozen=True)
class Kind:
    """A column of the table.

    Args:
        attempts: on a route.
        why_not: why there are none on a route; nothing where there are.
    """

    name: str
    attempts: Callable[[World, Target], Iterator[Attempt]]
    why_not: Callable[[Target], str]


KINDS = (
    Kind("no key", no_key, _has_key),
    Kind("wrong key", wrong_key, _has_key),
    Kind("foreign Host", foreign_host, _always),
    Kind("foreign Origin", foreign_origin, _always),
    Kind("oversized", oversized, _always),
    Kind("slow body", slow_body, _has_body),
    Kind("malformed", malformed, _has_body),
    Kind("unknown field", unknown_field, _always),
    Kind("traversal", traversal, _has_names),
)


def described(attempt: Attempt) -> str:
    """In one line, for who reads of a failure."""
    body = attempt.request.body
    start = body[:60] if isinstance(body, bytes) else b""
    return json.dumps([attempt.told, attempt.request.target[:80], repr(start)])
