"""Rows of vectors kept without padding: in memory, or in a mapped file that has no name."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


class Packed:
    """For each row a stretch of vectors, one after the other in one array (vectors, width)."""

    def __init__(self, flat: np.ndarray, starts: np.ndarray, *, on_disk: bool) -> None:
        self.flat = flat
        self.starts = starts
        self.on_disk = on_disk

    @property
    def size(self) -> int:
        """Bytes."""
        return self.flat.nbytes

    def write(self, rows: np.ndarray, padded: np.ndarray) -> None:
        """Keep (rows, longest row or more, width), without what lies past each row's end."""
        for index, row in enumerate(rows):
            first, end = self.starts[row], self.starts[row + 1]
            self.flat[first:end] = padded[index, : end - first]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(rows, longest row, width), zeros as padding."""
        firsts = self.starts[rows]
        lengths = self.starts[rows + 1] - firsts
        longest = int(lengths.max())
        if (lengths == longest).all():
            alike: np.ndarray = self.flat[firsts[:, None] + np.arange(longest)]
            return alike
        padded = np.zeros((len(rows), longest, self.flat.shape[1]), dtype=self.flat.dtype)
        for row, first, length in zip(padded, firsts.tolist(), lengths.tolist(), strict=True):
            row[:length] = self.flat[first : first + length]
        return padded


def make_packed(
    lengths: np.ndarray, width: int, kind: np.dtype[Any], *, in_memory: int, folder: Path
) -> Packed:
    """Room for rows of these lengths.

    Args:
        lengths: int (rows), vectors of each row.
        in_memory: bytes up to which they are kept in memory; more goes into a file.
        folder: where the file lies. It has no name: it is gone with the process, however that
            ends, and no later one can find it.
    Raises:
        OSError: there is not so much room on the disk.
    """
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    shape = (int(starts[-1]), width)
    if shape[0] * width * kind.itemsize <= in_memory:
        return Packed(np.empty(shape, dtype=kind), starts, on_disk=False)
    mapped = map_file(folder, shape[0] * width * kind.itemsize)
    return Packed(np.frombuffer(mapped, dtype=kind).reshape(shape), starts, on_disk=True)


def map_file(folder: Path, size: int, fill: Callable[[BinaryIO], None] | None = None) -> mmap.mmap:
    """A mapping of a new file without a name, with its room on the disk taken at once.

    Args:
        fill: writes all of the file before it is mapped: faster than into the mapping.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if fill is None:
            _take_room(file.fileno(), size)
        else:
            fill(file)
            file.truncate(size)
        return mmap.mmap(file.fileno(), size)


def _take_room(file: int, size: int) -> None:
    """Without this a full disk would show as a crash when the mapping is written."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(1 << 20)
    for first in range(0, size, len(zeros)):
        os.write(file, zeros[: size - first])
