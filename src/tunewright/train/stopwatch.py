"""How long training took, without its pauses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Rows and seconds of training, without the pauses for evaluation and saving."""

    def __init__(self) -> None:
        self.rows = 0
        self.told_s = 0.0  # seconds of it when it was last told of
        self._started = time.monotonic()
        self._paused_s = 0.0

    def seconds(self) -> float:
        """Time spent on steps."""
        return max(1e-9, time.monotonic() - self._started - self._paused_s)

    def rows_per_s(self) -> float:
        """Rows in a second of it; of a slow training with three digits too."""
        speed = self.rows / self.seconds()
        return round(speed, 1) if speed >= 10 else float(f"{speed:.3g}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within, the watch stands still."""
        since = time.monotonic()
        try:
            yield
        finally:
            self._paused_s += time.monotonic() - since
