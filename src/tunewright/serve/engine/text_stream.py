"""Tokens to text as they come: no half letters, and nothing that may turn out to be a stop text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunewright.backends.draws import Drawn

HALF_LETTER = "\ufffd"


class TextStream:
    """One answer.

    Args:
        decode: tokens to text, without special tokens.
        stops: texts before which it ends.
    """

    def __init__(self, decode: Callable[[list[int]], str], stops: Sequence[str] = ()) -> None:
        self.decode, self.stops = decode, [stop for stop in stops if stop]
        self.ids: list[int] = []
        self.stopped = self._half = False
        self._text = ""  # all that is decoded
        self._sent = 0  # letters of it that were given away
        self._known, self._read = 0, 0  # ids that a new one is decoded after; ids in the text
        self._kept: list[tuple[int, Drawn]] = []  # where each token's text begins

    def take(self, token: Drawn) -> tuple[str, tuple[Drawn, ...]]:
        """What can be told after one more token, and the tokens that begin in it."""
        self._kept.append((len(self._text), token))
        self.ids.append(token.token)
        new = self._new()
        self._half = new.endswith(HALF_LETTER)
        if new and not self._half:
            self._add(new)
            self._known, self._read = self._read, len(self.ids)
        return self._give(len(self._text) - self._held())

    def end(self) -> tuple[str, tuple[Drawn, ...]]:
        """What was held back, when no token comes any more."""
        if not self.stopped:
            self._add(self._new())
        self._half = False
        return self._give(len(self._text))

    def _new(self) -> str:
        before = self.decode(self.ids[self._known : self._read])
        return self.decode(self.ids[self._known :])[len(before) :]

    def _add(self, new: str) -> None:
        longest = max(map(len, self.stops), default=0)
        begin = max(self._sent, len(self._text) - longest)
        self._text += new
        found = [at for stop in self.stops if (at := self._text.find(stop, begin)) >= 0]
        if found:
            self.stopped = True
            self._text = self._text[: min(found)]
            self._kept = [(at, token) for at, token in self._kept if at < len(self._text)]

    def _held(self) -> int:
        """Letters at the end that a stop text may begin with."""
        if self.stopped:
            return 0
        waiting = self._text[self._sent :]
        lengths = (
            count
            for stop in self.stops
            for count in range(min(len(stop) - 1, len(waiting)), 0, -1)
            if waiting.endswith(stop[:count])
        )
        return max(lengths, default=0)

    def _give(self, upto: int) -> tuple[str, tuple[Drawn, ...]]:
        text = self._text[self._sent : upto]
        self._sent = max(upto, self._sent)
        done = [token for at, token in self._kept if at < self._sent or self._is_over(upto)]
        self._kept = self._kept[len(done) :]
        return text, tuple(done)

    def _is_over(self, upto: int) -> bool:
        return upto == len(self._text) and not self._half
