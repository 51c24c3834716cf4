"""One text while it is written: how its next token is drawn, and what is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tunewright.backends.draws import Draw, Drawn
from tunewright.serve.answers import ApiError
from tunewright.serve.engine.text_stream import TextStream
from tunewright.serve.engine.wish import Finish, Piece, Told, Wish


class BeingWritten:
    """A wish, and how far it is.

    Args:
        tell: is called with each piece, the last of which has a `finish`; or with what went wrong.
        decode, spell: tokens to text, and one to bytes.
        stop_ids: tokens that end an answer.
        room: tokens that the model reads at most, with the prompt.
    """

    def __init__(
        self,
        wish: Wish,
        tell: Callable[[Piece | Exception], None],
        *,
        decode: Callable[[list[int]], str],
        spell: Callable[[int], bytes],
        stop_ids: frozenset[int],
        room: int,
    ) -> None:
        self.wish, self.tell = wish, tell
        self.stop_ids = stop_ids
        self.decode, self.spell = decode, spell
        self.stream = TextStream(decode, wish.stops)
        left = room - len(wish.prompt)
        self.most = left if wish.most_tokens is None else min(wish.most_tokens, left)
        self.written: list[int] = []
        self.cancelled = self.done = False
        self._numbers = np.random.default_rng([wish.seed, wish.choice])
        self._times: Counter[int] = Counter()
        self._grammar: Any = None if wish.grammar is None else wish.grammar()

    @property
    def tokens(self) -> list[int]:
        """All that the model has to read before it can go on."""
        return [*self.wish.prompt, *self.written]

    def next_draw(self) -> Draw:
        """How the next token is chosen; of a text that cannot go on, anyhow."""
        try:
            allowed = None if self._grammar is None else self._grammar.allowed()
        except ApiError as error:
            self.fail(error)
            return Draw()
        wish = self.wish
        return Draw(
            temperature=wish.temperature,
            top_p=wish.top_p,
            number=float(self._numbers.random()) if wish.temperature > 0 else 0.0,
            added=self._added(),
            allowed=allowed,
            told=wish.told,
        )

    def _added(self) -> dict[int, float]:
        wish, added = self.wish, dict(self.wish.bias)
        if wish.frequency_penalty or wish.presence_penalty:
            for token, times in self._times.items():
                less = wish.frequency_penalty * times + wish.presence_penalty
                added[token] = added.get(token, 0.0) - less
        return added

    def take(self, token: Drawn) -> None:
        """Go on by a token, and tell what is new."""
        if self.done:
            return
        if token.token in self.stop_ids:
            self._end("stop")
            return
        self.written.append(token.token)
        self._times[token.token] += 1
        text, tokens = self.stream.take(token)
        if self.stream.stopped or self._says_all(token.token):
            self._end("stop", text, tokens)
        elif len(self.written) >= self.most:
            self._end("length", text, tokens)
        elif text or (tokens and self.wish.told is not None):
            self._tell(text, tokens)

    def _says_all(self, token: int) -> bool:
        """Whether nothing may follow this token."""
        if self._grammar is None:
            return False
        self._grammar.take(token)
        return bool(self._grammar.is_over())

    def _end(self, finish: Finish, text: str = "", tokens: tuple[Drawn, ...] = ()) -> None:
        more, others = self.stream.end()
        self.done = True
        self._tell(text + more, (*tokens, *others), finish)

    def _tell(self, text: str, tokens: tuple[Drawn, ...], finish: Finish | None = None) -> None:
        told = () if self.wish.told is None else tuple(map(self._in_words, tokens))
        self.tell(Piece(self.wish.choice, text, told, len(self.written), finish))

    def _in_words(self, token: Drawn) -> Told:
        likeliest = tuple(self._told(*each) for each in token.likeliest)
        return replace(self._told(token.token, float(token.logarithm or 0.0)), likeliest=likeliest)

    def _told(self, token: int, logarithm: float) -> Told:
        return Told(self.decode([token]), self.spell(token), logarithm)

    def fail(self, error: Exception) -> None:
        """End it with what went wrong."""
        self.done = True
        self.tell(error)
