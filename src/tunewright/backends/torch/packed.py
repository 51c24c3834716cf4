"""Rows of vectors kept without padding: in memory, or in a mapped file that has no name."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import nn


class Packed:
    """For each row a stretch of vectors, one after the other in one tensor (vectors, width)."""

    def __init__(self, flat: torch.Tensor, starts: np.ndarray, *, on_disk: bool) -> None:
        self.flat = flat
        self.starts = starts
        self.on_disk = on_disk

    @property
    def size(self) -> int:
        """Bytes."""
        return self.flat.numel() * self.flat.element_size()

    def write(self, rows: np.ndarray, padded: torch.Tensor) -> None:
        """Keep (rows, longest row or more, width), without what lies past each row's end."""
        for index, row in enumerate(rows):
            first, end = self.starts[row], self.starts[row + 1]
            self.flat[first:end] = padded[index, : end - first]

    def read(self, rows: np.ndarray) -> torch.Tensor:
        """(rows, longest row, width), zeros as padding."""
        kept = [self.flat[self.starts[row] : self.starts[row + 1]] for row in rows]
        return nn.utils.rnn.pad_sequence(kept, batch_first=True)


def make_packed(
    lengths: np.ndarray, width: int, kind: torch.dtype, *, in_memory: int, folder: Path
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
        return Packed(torch.empty(shape, dtype=kind), starts, on_disk=False)
    mapped = map_file(folder, shape[0] * width * kind.itemsize)
    return Packed(torch.frombuffer(mapped, dtype=kind).view(shape), starts, on_disk=True)


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
