"""Picture files: which they are, whether they can be read, what they show."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.cores import usable_cores

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"}
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
MOST_PIXELS = 100_000_000  # more is a mistake, or an attack on the memory
FEW_PICTURES = 64  # looked at together
COARSE = (64, 64)  # a JPEG is decoded no finer than this to find out whether it is whole
_TOO_LARGE = "it has more than 100 million pixels"
_MAGIC = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
)


@dataclass(frozen=True)
class Look:
    """What one reading of a picture file found.

    Args:
        sha256: of the file's content, 64 hex digits.
        flaw: why it cannot be read as a picture, or None where it can.
    """

    sha256: str
    flaw: str | None


def is_picture_name(name: str | Path) -> bool:
    """Whether a file of this name should hold a picture.

    >>> is_picture_name("a/Cat.JPG"), is_picture_name("cat.txt")
    (True, False)
    """
    return Path(name).suffix.lower() in SUFFIXES


def suffix_of(data: bytes) -> str | None:
    """The suffix for these first bytes of a file, or None where they are of no picture."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), None)


def look_at(paths: Iterable[str]) -> Iterator[Look]:
    """Read every picture once, whole: its hash, and whether it can be decoded.

    Raises:
        OSError: a file cannot be read at all.
    """
    stream = iter(paths)
    with ThreadPoolExecutor(usable_cores()) as pool:
        while some := list(islice(stream, FEW_PICTURES)):
            with _quiet():  # around all threads: filters belong to the process
                found = list(pool.map(_look, some))
            yield from found


def content_hashes(paths: Iterable[str]) -> Iterator[str | None]:
    """The sha256 of every file, None where it is no longer there to read."""
    for path in paths:
        try:
            yield hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:
            yield None


def header(path: str) -> tuple[int, int, str, bool]:
    """Width, height, mode of the pixels, and whether some may be transparent; nothing is decoded."""
    with _quiet(), _open(io.BytesIO(Path(path).read_bytes())) as image:
        return image.width, image.height, image.mode, image.has_transparency_data


def small_picture(path: str, size: tuple[int, int]) -> Image:
    """The picture upright, in RGB, at least `size` if it was, and decoded no finer than needed.

    What is transparent shows white, as on most pages.

    Raises:
        OSError: the file cannot be read. ValueError: it is no whole picture.
    """

    def in_rgb(image: Image) -> Image:
        return image.convert("RGB") if image.mode in ("RGB", "L") else _on_white(image)

    return _upright(path, size, in_rgb)


def whole_picture(path: str) -> Image:
    """The picture upright, in RGB, with all its pixels; what is transparent shows what is under it.

    Raises:
        OSError: the file cannot be read. ValueError: it is no whole picture.
    """
    return _upright(path, None, lambda image: image.convert("RGB"))


def _upright(path: str, size: tuple[int, int] | None, in_rgb: Callable[[Image], Image]) -> Image:
    from PIL import ImageOps

    data = Path(path).read_bytes()
    with _quiet():
        try:
            image = _open(io.BytesIO(data))
            if size is not None:
                image.draft("RGB", size)
            return in_rgb(ImageOps.exif_transpose(image))
        except Exception as error:
            raise ValueError(f"{path} is no whole picture: {error}") from error


def _on_white(image: Image) -> Image:
    import PIL.Image

    clear = image.convert("RGBA")
    white = PIL.Image.new("RGBA", clear.size, "white")
    return PIL.Image.alpha_composite(white, clear).convert("RGB")


def _look(path: str) -> Look:
    data = Path(path).read_bytes()
    return Look(hashlib.sha256(data).hexdigest(), _flaw(data))


def _flaw(data: bytes) -> str | None:
    """Why these bytes are no whole picture; None where they are one."""
    if not data:
        return "the file is empty"
    try:
        with _open(io.BytesIO(data)) as image:
            image.draft("RGB", COARSE)
            image.load()
    except Exception as error:  # noqa: BLE001 -- decoders raise what they like on broken bytes
        if "cannot identify image file" in str(error):
            return "it is no picture that can be read"
        return " ".join(str(error).split())[:120] or type(error).__name__
    return None


def _open(file: io.BytesIO) -> Image:
    """The picture, not decoded yet.

    Raises:
        ValueError: it has too many pixels.
    """
    import PIL.Image

    try:
        image = PIL.Image.open(file, formats=FORMATS)
    except PIL.Image.DecompressionBombError:  # its own limit is higher
        raise ValueError(_TOO_LARGE) from None
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(_TOO_LARGE)
    return image


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings: what they say is said as a flaw, or does not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
