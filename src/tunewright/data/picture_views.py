"""What a picture looks like in a few bits: its size, its kind of pixels, and a hash of its shades."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tunewright.cores import usable_cores
from tunewright.data.pictures import FEW_PICTURES, header, small_picture

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 8


@dataclass(frozen=True)
class View:
    """A picture in short.

    Args:
        side: pixels of its shorter side.
        kind: 'colour', 'grey', 'transparent', 'CMYK' or '16 bits'.
        bits: 64 for left to right, then 64 for top to bottom: whether it gets lighter there.
    """

    side: int
    kind: str
    bits: tuple[int, int]


def views(paths: Iterable[str]) -> Iterator[View]:
    """A view of every picture, each of which can be read."""
    stream = iter(paths)
    with ThreadPoolExecutor(usable_cores()) as pool:
        while some := list(islice(stream, FEW_PICTURES)):
            yield from pool.map(_view, some)


def _view(path: str) -> View:
    width, height, mode, has_alpha = header(path)
    kind = "transparent" if has_alpha else _KINDS.get(mode, "colour")
    return View(min(width, height), kind, shade_bits(small_picture(path, (64, 64))))


_KINDS = {
    "L": "grey",
    "1": "grey",
    "CMYK": "CMYK",
    "I;16": "16 bits",
    "I": "16 bits",
    "F": "16 bits",
}


def shade_bits(image: Image) -> tuple[int, int]:
    """64 bits for each direction, which small changes of size, light and compression keep.

    Source:
        The difference hash: one bit for each pair of neighbours in a small grey picture.
    """
    grey = np.asarray(image.convert("L").resize((SIDE + 1, SIDE + 1)), dtype=np.int16)
    across = (grey[:SIDE, 1:] > grey[:SIDE, :-1]).ravel()
    down = (grey[1:, :SIDE] > grey[:-1, :SIDE]).ravel()
    return _number(across), _number(down)


def _number(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
