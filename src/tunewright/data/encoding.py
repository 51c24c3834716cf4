"""What a file's bytes are: which text encoding, or which kind of file that is no text."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunewright.errors import DataError

CHUNK_BYTES = 1 << 20
_SAVE_AS_UTF8 = "save the file as UTF-8 text"
_CONTROLS = bytes(b for b in (*range(1, 32), 127) if b not in b"\t\n\r\f\x0b\x1a\x1b")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNPACK = "unpack it and pass the file inside"
_NOT_TEXT = "pass a CSV, TSV, TXT, JSON, JSONL, Parquet or Arrow file"
_MAGIC = (
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"PK\x05\x06", "an empty ZIP archive", _NOT_TEXT),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document", "save the sheet as CSV"),
    (b"\x89PNG", "a PNG image", _NOT_TEXT),
    (b"\xff\xd8\xff", "a JPEG image", _NOT_TEXT),
    (b"GIF8", "a GIF image", _NOT_TEXT),
    (b"%PDF", "a PDF document", _NOT_TEXT),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"\x89HDF", "an HDF5 file", _NOT_TEXT),
    (b"\x7fELF", "a program", _NOT_TEXT),
    *(
        (bytes((0x80, version)), "a Python pickle, which can run code", "save the rows as CSV")
        for version in (2, 3, 4, 5)
    ),
)


@dataclass(frozen=True)
class Probe:
    """What one pass over a text file found: Python's name of its encoding, and a hash."""

    encoding: str
    sha256: str


def refuse_binary(path: Path, head: bytes) -> None:
    """Raise DataError when the first bytes are those of an archive, image or pickle."""
    for magic, kind, fix in _MAGIC:
        if head.startswith(magic):
            raise DataError(f"{path} is {kind}, not rows of text", fix=fix)


def probe_text(path: Path) -> Probe:
    """Find the encoding of a text file; reads all of it, in pieces.

    UTF-8 and UTF-16 with or without a byte order mark, UTF-32 with one, then
    Windows-1252 or Latin-1; another 8-bit encoding where the text is not Western.

    Raises:
        DataError: binary content, a NUL byte, or bytes that no encoding explains; with line.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
    refuse_binary(path, head)
    encoding = _guess(head)
    try:
        return Probe(encoding, _decode_all(path, encoding))
    except _NotTextError as problem:
        if encoding != "utf-8":
            raise DataError(
                f"line {problem.line} of {path} is not {encoding} text: {problem.reason}",
                fix=_SAVE_AS_UTF8,
            ) from None
        encoding = _legacy(path, problem)
    try:
        return Probe(encoding, _decode_all(path, encoding))
    except _NotTextError as problem:
        raise DataError(
            f"line {problem.line} of {path} is text in an unknown encoding", fix=_SAVE_AS_UTF8
        ) from None


class _NotTextError(Exception):
    """Bytes that the encoding does not allow."""

    def __init__(self, line: int, reason: str, piece: bytes) -> None:
        super().__init__(reason)
        self.line, self.reason, self.piece = line, reason, piece


def _guess(head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    pairs = max(1, min(len(head), 4096) // 2)
    if odd > 0.3 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if even > 0.3 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return "utf-8"


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _decode_all(path: Path, encoding: str) -> str:
    """The file's sha256 when every byte decodes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    digest = hashlib.sha256()
    line = 1
    chunk = b""
    try:
        for chunk in _chunks(path):
            digest.update(chunk)
            text = decoder.decode(chunk)
            if "\0" in text:
                raise _nul(path, line + text[: text.index("\0")].count("\n"), chunk)
            line += text.count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        before = bytes(error.object[: error.start]).decode(encoding, "ignore")
        ends = "unexpected end" in error.reason or "truncated" in error.reason
        reason = "it ends in the middle of a character" if ends else error.reason
        raise _NotTextError(line + before.count("\n"), reason, chunk) from None
    return digest.hexdigest()


def _nul(path: Path, line: int, chunk: bytes) -> DataError:
    if _is_binary(chunk) or chunk.count(0) > 0.05 * len(chunk):
        return DataError(f"{path} holds binary content, not rows of text", fix=_NOT_TEXT)
    return DataError(
        f"line {line} of {path} has a NUL byte, which no text has",
        fix="remove the NUL bytes; the file was probably damaged in a copy",
    )


def _is_binary(chunk: bytes) -> bool:
    return len(chunk) - len(chunk.translate(None, _CONTROLS)) > 0.01 * len(chunk)


def _legacy(path: Path, problem: _NotTextError) -> str:
    """The 8-bit encoding of a file that is not UTF-8."""
    piece = problem.piece
    if _is_binary(piece) or piece.count(0) > 0.05 * len(piece):
        raise DataError(f"{path} holds binary content, not rows of text", fix=_NOT_TEXT)
    as_utf8 = piece.decode("utf-8", "replace")
    bad = as_utf8.count("\ufffd")
    good = sum(character > "\x7f" for character in as_utf8) - bad
    if good > bad:
        raise DataError(
            f"line {problem.line} of {path} is not UTF-8 text, and the lines before it are: "
            f"{problem.reason}",
            fix="mend that line, or save the whole file as UTF-8",
        )
    high = sum(byte > 0xBF for byte in piece)
    letters = high + sum(chr(byte).isalpha() for byte in piece if byte < 0x80)
    if high > 0.3 * max(1, letters) and (found := _foreign(piece)):
        return found
    try:
        piece.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _foreign(piece: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(piece[:65536]).best()
    return best.encoding if best else None
