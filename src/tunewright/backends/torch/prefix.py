"""The frozen prefix: what the frozen layers answer for a row is computed once and kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.cut import Batch, Cut, scores_of
from tunewright.backends.torch.packed import Packed, make_packed
from tunewright.backends.torch.pooled import Pooled
from tunewright.backends.torch.tokens import sorted_batches
from tunewright.durable import free_room

MIB = 1 << 20
TRIED_BATCHES = 3
DISK_SHARE = 0.5  # of what is free
BEARABLE_S = 0.5  # a smaller loss is not told from the noise of the clock

Batches = Callable[[str, np.ndarray], Batch]


@dataclass(frozen=True)
class Room:
    """Bytes that kept activations may take. `folder` is where a file would lie."""

    memory: int
    disk: int
    folder: Path


class Place(Protocol):
    """Where a model is cut: what is kept of a batch, and the scores that follow from it."""

    def keep(self, batch: Batch) -> torch.Tensor:
        """(rows, time or 1, width). No gradient."""

    def scores(self, kept: torch.Tensor, batch: Callable[[], Batch]) -> torch.Tensor:
        """(rows, labels), before softmax."""

    @property
    def left_out(self) -> list[nn.Module]:
        """The blocks that `scores` does not compute."""


class BetweenBlocks:
    """All tokens' vectors, as they leave the block below the cut."""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut

    def keep(self, batch: Batch) -> torch.Tensor:
        """See `Place`."""
        return self.cut.activations(batch)

    def scores(self, kept: torch.Tensor, batch: Callable[[], Batch]) -> torch.Tensor:
        """See `Place`."""
        with self.cut.without_blocks() as give:
            give(kept)
            return scores_of(self.cut.model, batch())

    @property
    def left_out(self) -> list[nn.Module]:
        """See `Place`."""
        return self.cut.left_out


class AboveBlocks:
    """The one vector of a row that the head reads."""

    def __init__(self, pooled: Pooled) -> None:
        self.pooled = pooled

    def keep(self, batch: Batch) -> torch.Tensor:
        """See `Place`."""
        return self.pooled.vectors(batch).unsqueeze(1)

    def scores(self, kept: torch.Tensor, batch: Callable[[], Batch]) -> torch.Tensor:
        """See `Place`."""
        return self.pooled.scores(kept.squeeze(1))

    @property
    def left_out(self) -> list[nn.Module]:
        """See `Place`."""
        return self.pooled.cut.left_out


@dataclass(frozen=True)
class Prefix:
    """What is kept of every row of some parts.

    key: of everything that the kept numbers depend on; saves_s: seconds, by the first batches;
    build_s: seconds that keeping took.
    """

    key: str
    place: Place
    kept: Mapping[str, Packed]
    saves_s: float
    build_s: float

    @property
    def mib(self) -> float:
        """Room that is taken."""
        return sum(packed.size for packed in self.kept.values()) / MIB

    @property
    def one_vector(self) -> bool:
        """Whether a row is one vector, rather than one for each token."""
        return isinstance(self.place, AboveBlocks)

    @property
    def on_disk(self) -> bool:
        """Whether some of it lies in a file."""
        return any(packed.on_disk for packed in self.kept.values())

    def scores(
        self, part: str, rows: np.ndarray, batches: Batches, device: torch.device
    ) -> torch.Tensor:
        """(rows, labels) of some rows of a part, from what is kept."""
        kept = self.kept[part].read(rows).to(device)
        return self.place.scores(kept, lambda: batches(part, rows))


def find_place(
    model: nn.Module, layout: Layout, blocks: int, batch: Batch, bound: float
) -> tuple[Place | None, str]:
    """Where to cut a model of which the head and the top `blocks` blocks learn; and why.

    Args:
        model: in evaluation mode.
        batch: rows on which the cut model must give the whole model's scores, within `bound`.
    """
    if blocks >= layout.num_blocks:
        return None, "nothing is frozen"
    if layout.uncut:
        return None, layout.uncut
    wanted = layout.num_blocks - max(1, blocks)
    below = layout.highest_cut(wanted)
    try:
        if blocks == 0 and layout.num_blocks in layout.cuts:
            pooled = Pooled(model, layout.blocks)
            if pooled.prove(batch, bound):
                return AboveBlocks(pooled), (
                    f"all blocks are frozen; the head reads each row's {pooled.pooling} vector"
                )
        if wanted == 0:
            return None, "nothing below the head's block is frozen"
        if below == 0:
            return None, "what lies above the frozen blocks sees more than their last state"
        cut = Cut(model, layout.blocks, below)
        difference = cut.prove(batch)
    except Exception as error:  # noqa: BLE001 - whatever foreign blocks make of it
        return None, f"the model cannot be cut: {type(error).__name__}: {error}"
    if difference > bound:
        return None, f"cut and top differ from the whole model by {difference:.2g}"
    said = f"{below} frozen blocks computed once; cut and top equal the whole within {bound:g}"
    if below < wanted:
        said += "; what lies higher sees more than one state (a decoder, its encoder's)"
    return BetweenBlocks(cut), said


def content_key(frozen: Iterable[torch.Tensor], *facts: object) -> str:
    """SHA-256 of the frozen weights, and of whatever else decides what is kept."""
    sha256 = hashlib.sha256(repr(facts).encode())
    for tensor in frozen:
        plain = tensor.detach().cpu().contiguous()
        sha256.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        sha256.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def build(
    key: str,
    place: Place,
    lengths: Mapping[str, np.ndarray],
    uses: Mapping[str, int],
    batches: Batches,
    *,
    tokens_at_once: int,
    room: Room,
    measure: bool,
) -> tuple[Prefix | None, str]:
    """Keep every row's activations, unless it does not pay or there is no room; and why.

    Args:
        lengths: part to int (rows), tokens of each row.
        uses: part to how often each of its rows will be asked for.
        batches: the model's arguments for some rows of a part.
        measure: whether it pays; else it is known to.
    """
    started = time.perf_counter()
    if measure and all(count < 2 for count in uses.values()):
        return None, "each row is asked for once: nothing would be saved"
    one_vector = isinstance(place, AboveBlocks)
    stored = {p: np.ones_like(each) if one_vector else each for p, each in lengths.items()}
    sample = place.keep(batches("train", np.array([int(np.argmin(lengths["train"]))])))
    width, kind = sample.shape[-1], sample.dtype
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
    todo = _todo(lengths, tokens_at_once)
    gain = _gain(place, kept, islice(todo, TRIED_BATCHES), lengths, uses, batches)
    if measure and gain < -BEARABLE_S:
        return None, "keeping activations would cost more than it saves"
    for part, rows in todo:
        kept[part].write(rows, place.keep(batches(part, rows)))
    where = " on disk" if on_disk else ""
    took_s = time.perf_counter() - started
    return Prefix(key, place, kept, gain, took_s), f"{size / MIB:,.1f} MiB kept{where}"


def _todo(lengths: Mapping[str, np.ndarray], budget: int) -> Iterator[tuple[str, np.ndarray]]:
    for part, each in lengths.items():
        for rows in sorted_batches(each, budget):
            yield part, rows


def _gain(
    place: Place,
    kept: Mapping[str, Packed],
    tried: Iterable[tuple[str, np.ndarray]],
    lengths: Mapping[str, np.ndarray],
    uses: Mapping[str, int],
    batches: Batches,
) -> float:
    """Seconds saved by keeping, from the times of a few batches, which are kept on the way."""
    compute_s = read_s = 0.0
    tokens = 0
    for part, rows in tried:
        batch = batches(part, rows)
        started = time.perf_counter()
        answer = place.keep(batch).cpu()
        computed = time.perf_counter()
        kept[part].write(rows, answer)
        kept[part].read(rows)
        compute_s += computed - started
        read_s += time.perf_counter() - computed
        tokens += int(lengths[part][rows].sum())
    once = sum(int(each.sum()) for each in lengths.values()) / max(1, tokens)
    often = sum(int(each.sum()) * uses.get(p, 1) for p, each in lengths.items()) / max(1, tokens)
    return (often - once) * compute_s - often * read_s
