"""GGUF files as models: each is made once into a plain folder, by a process of its own.

Reading one takes a framework, seconds and twice the model's memory; the folder takes none of these.
"""

from __future__ import annotations

from pathlib import Path

import filelock

from tunewright.cache import cache_folder
from tunewright.durable import disk_errors, file_sha256, make_folder, replacing_folder, write_text
from tunewright.pretrained.conversion import convert_apart
from tunewright.pretrained.gguf_header import read_header

SUFFIX = ".gguf"
_CONVERTER = "tunewright.backends.torch.from_gguf"


def gguf_folder(path: Path) -> Path:
    """Where a file's folder is, or would be made, in the cache; by the file's content."""
    return cache_folder() / "models" / f"gguf-{file_sha256(path)[:16]}"


def folder_of_gguf(path: Path) -> Path:
    """A folder in the cache that holds the model of a GGUF file, made on first use.

    Raises:
        ModelError: not a whole GGUF file, or one that cannot be converted.
    """
    read_header(path)
    place = gguf_folder(path)
    if not place.is_dir():
        make_folder(place.parent)
        with disk_errors(place), filelock.FileLock(place.with_name(f".{place.name}.lock")):
            if not place.is_dir():  # another process may have been quicker
                with replacing_folder(place) as staged:
                    convert(path, staged)
    return place


def convert(source: Path, into: Path) -> None:
    """Fill a folder from a GGUF file: config, safetensors, tokenizer, chat template, a card.

    Raises:
        ModelError: not a whole GGUF file, or one that cannot be converted.
    """
    facts = read_header(source).facts
    convert_apart(_CONVERTER, source, into)
    licence = facts.get("general.license")
    head = f"---\nlicense: {licence}\n---\n\n" if isinstance(licence, str) else ""
    write_text(into / "README.md", f"{head}Made from the GGUF file {source.name}.\n")
