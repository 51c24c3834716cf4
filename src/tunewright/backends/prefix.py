"""The frozen prefix: what the frozen layers answer for a row is computed once and kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from tunewright.backends.inputs import sorted_batches
from tunewright.backends.packed import Packed, make_packed
from tunewright.backends.settings import Room
from tunewright.durable import free_room
from tunewright.train.passes import settle

MIB = 1 << 20
TRIED_BATCHES = 3
DISK_SHARE = 0.5  # of what is free
BEARABLE_S = 0.5  # a smaller loss is not told from the noise of the clock

Batches = Callable[[str, np.ndarray], Any]
Keep = Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class Prefix:
    """What is kept of every row of some parts.

    key: of everything that the kept numbers depend on; shape: of what is kept of a row, where all
    rows have the same, else None; saves_s: seconds, by the first batches; build_s: seconds that
    keeping took.
    """

    key: str
    place: Any
    kept: Mapping[str, Packed]
    shape: tuple[int, ...] | None
    saves_s: float
    build_s: float

    @property
    def mib(self) -> float:
        """Room that is taken."""
        return sum(packed.size for packed in self.kept.values()) / MIB

    @property
    def one_vector(self) -> bool:
        """Whether a row is one vector, rather than one for each token."""
        return bool(self.place.one_vector)

    @property
    def on_disk(self) -> bool:
        """Whether some of it lies in a file."""
        return any(packed.on_disk for packed in self.kept.values())

    def read(self, part: str, rows: np.ndarray) -> np.ndarray:
        """(rows, longest row, width), or (rows, *shape): what is kept of some rows of a part."""
        found = self.kept[part].read(rows)
        return found if self.shape is None else found.reshape(len(rows), *self.shape)


def content_key(frozen: Iterable[tuple[str, np.ndarray]], *facts: object) -> str:
    """SHA-256 of the frozen weights, and of whatever else decides what is kept.

    Args:
        frozen: kind and shape, and content, of each weight.
    """
    sha256 = hashlib.sha256(repr(facts).encode())
    for kind, content in frozen:
        sha256.update(kind.encode())
        sha256.update(np.ascontiguousarray(content).data)
    return sha256.hexdigest()


def build(
    key: str,
    place: Any,
    keep: Keep,
    lengths: Mapping[str, np.ndarray],
    uses: Mapping[str, float],
    batches: Batches,
    *,
    ragged: bool,
    tokens_at_once: int,
    room: Room,
    measure: bool,
) -> tuple[Prefix | None, str]:
    """Keep every row's activations, unless it does not pay or there is no room; and why.

    Args:
        place: where the model is cut; `one_vector` says what is kept of a row.
        keep: what is kept of a batch.
        lengths: part to int (rows), tokens of each row.
        uses: part to how often each of its rows will be asked for.
        batches: the model's arguments for some rows of a part.
        ragged: whether a row's state has a vector for each of its tokens; else all are alike.
        measure: whether it pays; else it is known to.
    """
    started = time.perf_counter()
    if measure and all(count < 2 for count in uses.values()):
        return None, "each row is asked for once: nothing would be saved"
    sample = keep(batches("train", np.array([int(np.argmin(lengths["train"]))])))
    shape = None if ragged and not place.one_vector else sample.shape[1:]
    stored = {p: each if shape is None else np.ones_like(each) for p, each in lengths.items()}
    width, kind = sample.shape[-1] if shape is None else sample[0].size, sample.dtype
    size = sum(int(each.sum()) for each in stored.values()) * width * kind.itemsize
    on_disk = size > room.memory
    if on_disk and size > min(room.disk, int(DISK_SHARE * free_room(room.folder))):
        return None, (
            f"kept activations would take {size / MIB:,.0f} MiB, more than there is room for: "
            f"{room.memory / MIB:,.0f} MiB of memory, {room.disk / MIB:,.0f} MiB on disk"
        )
    in_memory = 0 if on_disk else size
    try:
        kept = {
            part: make_packed(each, width, kind, in_memory=in_memory, folder=room.folder)
            for part, each in stored.items()
        }
    except OSError as error:
        return None, f"no room for kept activations: {error.strerror}"
    for packed in kept.values():
        settle(packed.flat, _as_vectors(sample, shape)[0])
    todo = _todo(lengths, tokens_at_once)
    gain = _gain(keep, kept, shape, islice(todo, TRIED_BATCHES), lengths, uses, batches)
    if measure and gain < -BEARABLE_S:
        return None, "keeping activations would cost more than it saves"
    for part, rows in todo:
        kept[part].write(rows, _as_vectors(keep(batches(part, rows)), shape))
    where = " on disk" if on_disk else ""
    took_s = time.perf_counter() - started
    return Prefix(key, place, kept, shape, gain, took_s), f"{size / MIB:,.1f} MiB kept{where}"


def _as_vectors(states: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """(rows, vectors, width), where all rows are alike one vector for each."""
    return states if shape is None else states.reshape(len(states), 1, -1)


def _todo(lengths: Mapping[str, np.ndarray], budget: int) -> Iterator[tuple[str, np.ndarray]]:
    for part, each in lengths.items():
        for rows in sorted_batches(each, budget):
            yield part, rows


def _gain(
    keep: Keep,
    kept: Mapping[str, Packed],
    shape: tuple[int, ...] | None,
    tried: Iterable[tuple[str, np.ndarray]],
    lengths: Mapping[str, np.ndarray],
    uses: Mapping[str, float],
    batches: Batches,
) -> float:
    """Seconds saved by keeping, from the times of a few batches, which are kept on the way."""
    compute_s = read_s = 0.0
    tokens = 0
    for part, rows in tried:
        batch = batches(part, rows)
        started = time.perf_counter()
        answer = keep(batch)
        computed = time.perf_counter()
        kept[part].write(rows, _as_vectors(answer, shape))
        kept[part].read(rows)
        compute_s += computed - started
        read_s += time.perf_counter() - computed
        tokens += int(lengths[part][rows].sum())
    once = sum(int(each.sum()) for each in lengths.values()) / max(1, tokens)
    often = sum(int(each.sum()) * uses.get(p, 1) for p, each in lengths.items()) / max(1, tokens)
    return (often - once) * compute_s - often * read_s
