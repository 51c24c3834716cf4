"""What the beginning of a GGUF file says: facts, and which tensors follow; no number is read."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tunewright.errors import ModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
INSTALL = "pip install 'tunewright[gguf]'"
_FACT = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 28  # of a string, or of a list of facts: more is no count but noise
_ALIGNMENT = 32


@dataclass(frozen=True)
class Header:
    """The facts of a file (lists only as their length), and the type and shape of each tensor."""

    facts: dict[str, Any]
    tensors: dict[str, tuple[int, tuple[int, ...]]]

    @property
    def architecture(self) -> str:
        """Such as `llama`."""
        return str(self.facts["general.architecture"])

    @property
    def types(self) -> set[str]:
        """Names of the types that the tensors have, such as F32 and Q4_1."""
        from gguf import GGMLQuantizationType

        return {GGMLQuantizationType(kind).name for kind, _ in self.tensors.values()}


def require_gguf() -> None:
    """Raise ModelError unless the package `gguf` can be imported."""
    try:
        import gguf  # noqa: F401
    except ImportError:
        raise ModelError(
            "GGUF files need the package gguf, which is missing", fix=INSTALL
        ) from None


def read_header(path: Path) -> Header:
    """The header of a file that is whole.

    Raises:
        ModelError: the package is missing, or the file is no GGUF, cut short or of another version.
    """
    require_gguf()
    with path.open("rb") as file:
        _check_version(path, file)
        try:
            header, promised = _read(file)
        except (struct.error, ValueError, KeyError, ArithmeticError, MemoryError, EOFError):
            raise _broken(path, "its header ends too soon or is damaged") from None
    if "general.architecture" not in header.facts or not header.tensors:
        raise _broken(path, "it names no architecture or holds no tensors")
    size = path.stat().st_size
    if size < promised:
        raise _broken(path, f"it has {size:,} bytes where its header promises {promised:,}")
    return header


def _check_version(path: Path, file: BinaryIO) -> None:
    start = file.read(8)
    if start[:4] != MAGIC:
        raise _broken(path, "it does not begin with the letters GGUF")
    version = int.from_bytes(start[4:], "little")
    if version not in VERSIONS:
        raise ModelError(
            f"{path} is GGUF of version {version}; versions 2 and 3 are read",
            fix="make the file anew with a current llama.cpp, or take the model's safetensors folder",
        )


def _read(file: BinaryIO) -> tuple[Header, int]:
    """The header, and how many bytes the whole file must have."""
    from gguf.constants import GGML_QUANT_SIZES

    num_tensors, num_facts = _unpack(file, "QQ")
    facts = {}
    for _ in range(num_facts):
        name = _text(file)
        facts[name] = _value(file, _unpack(file, "I")[0])
    tensors, end = {}, 0
    for _ in range(num_tensors):
        name = _text(file)
        (num_dimensions,) = _unpack(file, "I")
        shape = _unpack(file, f"{min(num_dimensions, 16)}Q")
        kind, offset = _unpack(file, "IQ")
        per_block, block_bytes = GGML_QUANT_SIZES[kind]
        tensors[name] = (kind, tuple(reversed(shape)))
        end = max(end, offset + math.prod(shape) // per_block * block_bytes)
    alignment = int(facts.get("general.alignment", _ALIGNMENT))
    return Header(facts, tensors), -(-file.tell() // alignment) * alignment + end


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _unpack(file, _FACT[kind])[0]
    inner, count = _unpack(file, "IQ")
    if inner == _STRING:
        for _ in range(count):
            _skip(file, _unpack(file, "Q")[0])
    else:
        _skip(file, count * struct.calcsize(_FACT[inner]))
    return count


def _text(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    data = file.read(min(length, _LONGEST))
    if len(data) != length:
        raise EOFError
    return data.decode("utf-8")


def _skip(file: BinaryIO, num_bytes: int) -> None:
    if num_bytes > _LONGEST:
        raise EOFError
    file.seek(num_bytes, 1)


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))


def _broken(path: Path, because: str) -> ModelError:
    return ModelError(f"{path} is not a whole GGUF file: {because}", fix="fetch the file again")
