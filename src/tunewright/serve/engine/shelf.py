"""Models that are open, and which of them is closed when another one needs the memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.backends import return_memory
from tunewright.errors import ModelError
from tunewright.pretrained.weights import fp32_bytes
from tunewright.serve.settings import MIB


@dataclass
class Opened:
    """A model in memory.

    Args:
        model: what a backend opened. parts: what was made with it, such as batches, by name.
        bytes: that it takes.
    """

    model: Any
    bytes: int
    parts: dict[Any, Any] = field(default_factory=dict)


class Shelf:
    """Open models by kind and folder, the least recently used first.

    Args:
        most_bytes: that their weights may take.
        is_busy: whether something is still being done with a model: it is not closed.
    """

    def __init__(self, most_bytes: int, is_busy: Callable[[Opened], bool]) -> None:
        self.most_bytes, self.is_busy = most_bytes, is_busy
        self._open: OrderedDict[tuple[str, Path], Opened] = OrderedDict()

    def __iter__(self) -> Iterator[Opened]:
        """Each that is open."""
        return iter(list(self._open.values()))

    def get(self, kind: str, folder: Path, make: Callable[[Path], Any]) -> Opened | None:
        """The model, opened if need be; None while others are busy that have to be closed first.

        Raises:
            ModelError: it is larger than the memory that there is for models.
        """
        key = (kind, folder)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        need = fp32_bytes(folder)
        if need > self.most_bytes:
            raise ModelError(
                f"the model takes {need / MIB:,.0f} MiB, and all that are open may take "
                f"{self.most_bytes / MIB:,.0f} MiB",
                fix="give the server more: --model-memory-mib",
            )
        if not self._make_room(need):
            return None
        self._open[key] = Opened(make(folder), need)
        return self._open[key]

    @property
    def bytes(self) -> int:
        """What the open ones take."""
        return sum(each.bytes for each in self._open.values())

    def _make_room(self, need: int) -> bool:
        while self.bytes + need > self.most_bytes:
            idle = next((key for key, each in self._open.items() if not self.is_busy(each)), None)
            if idle is None:
                return False
            del self._open[idle]
            return_memory()
        return True
