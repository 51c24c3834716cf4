"""A multipart body whose one file goes straight to the disk, hashed on its way."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tunewright.durable import disk_errors
from tunewright.serve.answers import ApiError
from tunewright.serve.files.file_rules import plain_name

MOST_FIELD_BYTES = 64 << 10
MOST_FIELDS = 32
BINARY: dict[str, Any] = {"contentMediaType": "application/octet-stream"}
"""The bytes of a file, which are of no type of JSON."""


def multipart_of(fields: dict[str, Any], *more: str) -> dict[str, Any]:
    """`openapi_extra` of a route that reads such a body.

    Args:
        fields: name → schema; the first is the file.
        more: names of other fields that have to be there.
    """
    schema = {
        "type": "object",
        "required": [next(iter(fields)), *more],
        "properties": fields,
        "additionalProperties": False,
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


@dataclass
class Received:
    """What came in.

    Args:
        path: where the file's bytes are, under a name that is no upload's yet; the caller moves it.
        filename: as the client named it, less its folders.
        num_bytes, sha256, md5: of the file.
        fields: the other parts, as text.
    """

    path: Path
    filename: str = ""
    num_bytes: int = 0
    sha256: str = ""
    md5: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def discard(self) -> None:
        """Delete the bytes."""
        self.path.unlink(missing_ok=True)


async def receive(request: Request, *, file_field: str, folder: Path, most_bytes: int) -> Received:
    """Read the body; its file is on the disk when this returns.

    Raises:
        ApiError: no multipart, no file in the field that should have one, or a file too large.
        FailedRunError: the disk refused.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise ApiError(400, "The body should be multipart/form-data", None, "invalid_body")
    received = Received(folder / f".{secrets.token_hex(8)}.part")
    try:
        with disk_errors(folder), received.path.open("xb") as file:
            reader = _Reader(received, file, file_field, most_bytes)
            parser = MultipartParser(options[b"boundary"], reader.callbacks())
            async for chunk in request.stream():
                parser.write(chunk)
            parser.finalize()
            file.flush()
            await run_in_threadpool(os.fsync, file.fileno())
        reader.finish()
    except FormParserError:
        received.discard()
        raise ApiError(400, "The multipart body is broken", None, "invalid_body") from None
    except BaseException:
        received.discard()
        raise
    return received


class _Reader:
    """The parser's callbacks."""

    def __init__(self, received: Received, file: BinaryIO, file_field: str, most: int) -> None:
        self._received, self._file = received, file
        self._file_field, self._most = file_field, most
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self._header, self._value = b"", b""
        self._name, self._in_file, self._has_file = "", False, False
        self._text = bytearray()
        self._ended = False

    def callbacks(self) -> Any:
        """By the names that the parser calls them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def finish(self) -> None:
        """Raise ApiError when something is missing; else fill in what is known at the end."""
        if not self._ended:
            raise ApiError(400, "The multipart body ends too early", None, "invalid_body")
        if not self._has_file:
            told = f"Missing required parameter: '{self._file_field}'"
            raise ApiError(400, told, self._file_field, "missing_required_parameter")
        self._received.sha256 = self._sha256.hexdigest()
        self._received.md5 = self._md5.hexdigest()

    def _begin(self) -> None:
        self._name, self._in_file, self._text = "", False, bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name, value, self._header, self._value = self._header.lower(), self._value, b"", b""
        if name != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._in_file = b"filename" in options
        if not self._in_file:
            return
        if self._name != self._file_field or self._has_file:
            raise ApiError(400, f"Unknown file: '{self._name}'", self._name, "unknown_parameter")
        self._has_file = True
        given = options[b"filename"].decode("utf-8", "replace")
        self._received.filename = plain_name(given, self._file_field)

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if not self._in_file:
            self._text += piece
            if len(self._text) > MOST_FIELD_BYTES:
                raise ApiError(413, f"'{self._name}' is too long", self._name, "too_large")
            return
        self._received.num_bytes += len(piece)
        if self._received.num_bytes > self._most:
            raise too_large(self._file_field, self._most)
        self._sha256.update(piece)
        self._md5.update(piece)
        self._file.write(piece)

    def _part_end(self) -> None:
        if self._in_file:
            return
        if len(self._received.fields) >= MOST_FIELDS or self._name in self._received.fields:
            told = f"'{self._name}' is there twice, or is one of too many"
            raise ApiError(400, told, self._name, "invalid_body")
        self._received.fields[self._name] = self._text.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


def too_large(param: str, most_bytes: int) -> ApiError:
    """413 that says how large it may be."""
    told = f"At most {most_bytes:,} bytes ({most_bytes / (1 << 20):,.0f} MiB) are taken"
    return ApiError(413, told, param, "file_too_large")
