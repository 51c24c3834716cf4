"""Texts that one model writes at once: they join when there is room, and leave when they end.

A step reads some tokens of prompts, and then writes one token of every text. So nobody waits for
another's long prompt, nor for another's long answer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from tunewright.serve.engine.being_written import BeingWritten

SPARE = 1.5
"""What a cache may take, more than its tokens do: it grows by a quarter."""
MARGIN = 16
"""Tokens that a text which joins should have room for before another one has to leave."""


@dataclass
class _Reading:
    """Texts whose prompts are read, and how many tokens of them are."""

    rows: Any
    texts: list[BeingWritten]
    read: int = 0


class Batch:
    """See above.

    Args:
        writer: see `RowWriter`.
        most_texts: that are written at once.
        most_bytes: that keys and values of tokens may take.
    """

    def __init__(self, writer: Any, *, most_texts: int, most_bytes: int) -> None:
        self.writer, self.most_texts = writer, most_texts
        self.room: int = int(most_bytes / SPARE) // writer.bytes_of_token  # tokens of all texts
        self.longest = min(writer.longest, self.room)
        self.waiting: deque[BeingWritten] = deque()
        self.writing: list[BeingWritten] = []
        self.rows: Any = writer.rows()
        self._reading: _Reading | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.waiting or self.writing or self._reading)

    def add(self, text: BeingWritten) -> None:
        """A text that is to be written."""
        self.waiting.append(text)

    def step(self) -> None:
        """Read some prompts, write a token of each text."""
        self._forget_cancelled()
        if self._reading is None:
            self._begin_reading()
        if self._reading is not None:
            self._read(self._reading)
        if self.writing:
            self._write()
        if self.is_idle:
            self.rows = self.writer.rows()  # and not the memory of the busiest hour

    def fail(self, error: Exception) -> None:
        """End all texts with what went wrong."""
        reading = self._reading.texts if self._reading is not None else []
        for text in (*self.waiting, *reading, *self.writing):
            text.fail(error)
        self.waiting.clear()
        self.writing, self._reading, self.rows = [], None, self.writer.rows()

    def _forget_cancelled(self) -> None:
        self.waiting = deque(text for text in self.waiting if not text.cancelled)
        for row in reversed(range(len(self.writing))):
            if self.writing[row].cancelled:
                self._drop(row)
        if self._reading is not None and all(text.cancelled for text in self._reading.texts):
            self._reading = None

    def _drop(self, row: int) -> None:
        """The last text takes the place, as it does in the cache."""
        self.rows.drop(row)
        self.writing[row] = self.writing[-1]
        self.writing.pop()

    def _begin_reading(self) -> None:
        """Take as many waiting texts as are read at once; a long prompt by itself."""
        taken: list[BeingWritten] = []
        most = self.writer.read_at_once
        while self.waiting:
            widest = max(len(text.tokens) for text in (*taken, self.waiting[0]))
            if taken and widest * (len(taken) + 1) > most:
                break
            if not self._fits(len(taken) + 1, widest):
                break
            taken.append(self.waiting.popleft())
        if taken:
            rows = self.writer.rows()
            for _ in taken:
                rows.add()
            self._reading = _Reading(rows, taken)

    def _fits(self, more: int, tokens: int) -> bool:
        """Whether so many more texts have room, the longest of so many tokens."""
        rows = len(self.writing) + more
        longest = max(tokens, max(self.rows.lengths, default=0)) + MARGIN
        return rows <= self.most_texts and (rows * longest <= self.room or rows == 1)

    def _read(self, reading: _Reading) -> None:
        tokens = [text.tokens for text in reading.texts]
        begin, end = reading.read, reading.read + self.writer.read_at_once
        scores = self.writer.read(reading.rows, [row[begin:end] for row in tokens])
        reading.read = end
        if end < max(map(len, tokens)):
            return
        self._reading = None
        self._draw(scores, reading.texts)
        for row, text in enumerate(reading.texts):
            if not text.done and not text.cancelled:
                self.rows.take(reading.rows, row)
                self.writing.append(text)

    def _write(self) -> None:
        while len(self.writing) > 1 and self._is_full():
            text = self.writing[-1]
            self._drop(len(self.writing) - 1)
            self.waiting.appendleft(text)  # it is read again, and goes on as if nothing had been
        scores = self.writer.read(self.rows, [[text.written[-1]] for text in self.writing])
        self._draw(scores, self.writing)
        for row in reversed(range(len(self.writing))):
            if self.writing[row].done:
                self._drop(row)

    def _is_full(self) -> bool:
        longest: int = max(self.rows.lengths)
        return len(self.writing) * (longest + 1) > self.room

    def _draw(self, scores: Any, texts: list[BeingWritten]) -> None:
        drawn = self.writer.draw(scores, [text.next_draw() for text in texts])
        for text, each in zip(texts, drawn, strict=True):
            text.take(each)
