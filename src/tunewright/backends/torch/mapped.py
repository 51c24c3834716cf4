"""A model's weights in a mapped file: they are in memory while they are used, and leave it again.

The file is a copy, without a name. The model's own files could be mapped as well, but whoever
writes their folder anew would change the weights of a running training, or end it (SIGBUS).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open

from tunewright.backends.packed import map_file
from tunewright.durable import free_room

FLOATS = ("F64", "F32", "F16", "BF16")  # safetensors' words
ALIGNED = 64  # bytes, as PyTorch aligns its own tensors
SMALLEST = 128 << 20  # bytes; smaller models gain nothing, and paging costs a twentieth
DISK_SHARE = 0.5  # of what is free
PAUSE_S = 0.01


class MappedWeights:
    """Weights in one mapping; a tensor that was written is written in the file too.

    Args:
        named: the weights by their names in the model's files: float32 in the mapping, and what
            is no floating-point number, or empty, in ordinary memory.
    """

    def __init__(self, named: Mapping[str, torch.Tensor], mapping: mmap.mmap) -> None:
        self.named = dict(named)
        self._mapping = mapping
        self._first = torch.frombuffer(mapping, dtype=torch.uint8).data_ptr()

    @property
    def bytes_on_disk(self) -> int:
        """Room that is taken."""
        return len(self._mapping)

    def size(self, tensors: Iterable[torch.Tensor]) -> int:
        """Bytes of those tensors that lie in the mapping."""
        return sum(each.nbytes for each in tensors if self._holds(each))

    def bring(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Move parameters that lie in the mapping to ordinary memory; they stay the same objects."""
        for parameter in parameters:
            if self._holds(parameter):
                parameter.data = parameter.data.clone()

    def let_go(self) -> None:
        """Take the weights out of memory; whoever uses one finds it there again."""
        self._mapping.madvise(mmap.MADV_DONTNEED)

    @contextmanager
    def paging_out(self) -> Iterator[None]:
        """Within, weights leave memory soon after they were used, and at the end all do.

        By the clock: products, hashes and writers of files use them where no hook could tell.
        """
        over = Event()

        def let_go() -> None:
            while not over.wait(PAUSE_S):
                self.let_go()

        thread = Thread(target=let_go, daemon=True)
        try:
            thread.start()
            yield
        finally:
            over.set()
            if thread.ident is not None:
                thread.join()
            self.let_go()

    def _holds(self, tensor: torch.Tensor) -> bool:
        offset = tensor.data_ptr() - self._first if tensor.device.type == "cpu" else -1
        return 0 <= offset < len(self._mapping)


def map_weights(files: Sequence[Path], folder: Path, most: int) -> MappedWeights | None:
    """Copy the weights of some safetensors files into a mapped file, one after the other.

    Args:
        folder: where the file lies. It has no name: it is gone with the process.
        most: bytes that it may take.
    Returns:
        None where the system cannot let go of what is mapped, the weights are few, or there is no
        room.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return None
    try:
        shapes = {name: shape for file in files for name, shape in _float_shapes(file).items()}
    except SafetensorError:  # whoever loads the model says it better
        return None
    starts: dict[str, int] = {}
    end = 0
    for name, shape in shapes.items():
        starts[name] = end
        end += -(-4 * shape.numel() // ALIGNED) * ALIGNED
    if not max(1, SMALLEST) <= end <= min(most, int(DISK_SHARE * free_room(folder))):
        return None
    others: dict[str, torch.Tensor] = {}

    def fill(copy: BinaryIO) -> None:
        for name, tensor in _one_by_one(files):
            if name in starts:
                copy.seek(starts[name])
                copy.write(tensor.float().reshape(-1).numpy().data)
            else:
                others[name] = tensor.clone()

    try:
        mapping = map_file(folder, end, fill)
    except (OSError, SafetensorError):
        return None
    floats = {
        name: torch.frombuffer(
            mapping, dtype=torch.float32, count=shape.numel(), offset=starts[name]
        ).view(shape)
        for name, shape in shapes.items()
    }
    return MappedWeights(floats | others, mapping)


def _one_by_one(files: Iterable[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Each file is opened anew for each tensor: while it is open, it keeps what it has read."""
    for file in files:
        with safe_open(file, "pt") as opened:
            names = list(opened.keys())
        for name in names:
            with safe_open(file, "pt") as opened:
                yield name, opened.get_tensor(name)


def _float_shapes(file: Path) -> dict[str, torch.Size]:
    with safe_open(file, "pt") as opened:
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
        return {
            name: torch.Size(each.get_shape())
            for name, each in slices.items()
            if each.get_dtype() in FLOATS and 0 not in each.get_shape()
        }
