"""The weights of a safetensors folder as float32 arrays, one at a time, without a framework."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunewright.errors import ModelError

_NUMBERS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True)
class _Place:
    file: Path
    start: int
    kind: str
    shape: tuple[int, ...]


class Tensors(Mapping[str, np.ndarray]):
    """Name to values; each is read when it is asked for, and kept by nobody.

    Raises:
        ModelError: a tensor of a kind that holds no floats.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._places = {name: place for file in files for name, place in _listed(file)}

    def __getitem__(self, name: str) -> np.ndarray:
        place = self._places[name]
        raw = np.memmap(
            place.file, np.dtype(_NUMBERS[place.kind]), "r", offset=place.start, shape=place.shape
        )
        if place.kind == "BF16":  # the upper half of a float32
            return (raw.astype("<u4") << 16).view("<f4")
        return raw.astype(np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, unread."""
        return self._places[name].shape


def _listed(file: Path) -> Iterator[tuple[str, _Place]]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        facts = json.loads(opened.read(length))
    for name, fact in facts.items():
        if name == "__metadata__":
            continue
        if fact["dtype"] not in _NUMBERS:
            raise ModelError(
                f"{name} of {file} is {fact['dtype']}; float32, float16 and bfloat16 are read",
                fix="save the model in one of these: model.float().save_pretrained(FOLDER)",
            )
        start = 8 + length + fact["data_offsets"][0]
        yield name, _Place(file, start, fact["dtype"], tuple(fact["shape"]))
