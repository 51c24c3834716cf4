"""The first Ctrl-C or SIGTERM asks for a clean stop; the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted(BaseException):
    """The run was saved and stopped because a signal asked for it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.signal_number


class StopRequest:
    """Within, a signal raises `Interrupted`: at once, or where training can be saved."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._waits = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, the first signal is only noted; `check` raises it."""
        with self._waiting(True):
            yield

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within `held`: a signal that comes now, or came, stops what is being computed."""
        with self._waiting(False):
            self.check()
            yield

    @contextmanager
    def _waiting(self, waits: bool) -> Iterator[None]:
        before, self._waits = self._waits, waits
        try:
            yield
        finally:
            self._waits = before

    def _note(self, number: int, _: FrameType | None) -> None:
        asked_before = self.signal_number is not None
        self.signal_number = number
        if asked_before or not self._waits:
            raise Interrupted(number)

    def check(self) -> None:
        """Raise `Interrupted` when a stop was asked for."""
        if self.signal_number is not None:
            raise Interrupted(self.signal_number)
