"""Texts that are being written, as a route follows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from tunewright.serve.engine.being_written import BeingWritten
from tunewright.serve.engine.wish import Piece


class Writing:
    """Pieces of all texts of a request, as they come.

    Args:
        texts: in the order of their choices.
    """

    def __init__(
        self, texts: Sequence[BeingWritten], pieces: asyncio.Queue[Piece | Exception]
    ) -> None:
        self.texts, self._pieces = texts, pieces

    @property
    def prompt_tokens(self) -> int:
        """Of the prompts, each once, however many choices it has."""
        return sum(len(text.wish.prompt) for text in self.texts if text.wish.choice == 0)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Until all texts have ended; when whoever asks goes away, they end at once.

        Raises:
            ApiError: what went wrong with one of them.
        """
        going = len(self.texts)
        try:
            while going:
                piece = await self._pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                going -= piece.finish is not None
                yield piece
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Have no more written."""
        for text in self.texts:
            text.cancelled = True
