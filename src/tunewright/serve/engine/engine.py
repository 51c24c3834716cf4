"""The one thread that runs models. Routes hand it work and wait; it never waits for them."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tunewright.backends import open_encoder, open_predictor, open_shared_base
from tunewright.serve.answers import ApiError
from tunewright.serve.engine.being_written import BeingWritten
from tunewright.serve.engine.places import Place
from tunewright.serve.engine.shelf import Opened, Shelf
from tunewright.serve.engine.speaker import Speaker
from tunewright.serve.engine.wish import Piece
from tunewright.serve.engine.writing import Writing
from tunewright.serve.settings import MIB, ServeSettings

_log = logging.getLogger("tunewright.serve")
Tell = Callable[[Piece | Exception], None]


@dataclass
class _Work:
    """Something to do with a model: `do` gets it as it was opened by `make`."""

    kind: str
    folder: Path
    make: Callable[[Path], Any]
    do: Callable[[Opened], Any]
    result: Future[Any] = field(default_factory=Future)


class Engine:
    """See above.

    Args:
        model_bytes: that the weights of all open models may take.
        cache_bytes: that the keys and values of one model's texts may take.
        most_texts: that one model writes at once.
    """

    def __init__(self, *, model_bytes: int, cache_bytes: int, most_texts: int) -> None:
        self._cache_bytes, self._most_texts = cache_bytes, most_texts
        self._shelf = Shelf(model_bytes, _is_busy)
        self._inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._waiting: list[_Work] = []
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._stopping = False
        self._thread.start()

    def close(self) -> None:
        """Stop after the step that is being made."""
        self._stopping = True
        self._inbox.put(None)
        self._thread.join()

    # ---- what routes ask for

    async def write(
        self, place: Place, begin: Callable[[Speaker, Tell], Sequence[BeingWritten]]
    ) -> Writing:
        """Have texts written: `begin` is called with the model, in the thread that runs it."""
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[Piece | Exception]()

        def tell(piece: Piece | Exception) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        return Writing(await self.with_speaker(place, lambda s: begin(s, tell)), pieces)

    async def with_speaker(self, place: Place, do: Callable[[Speaker], Any]) -> Any:
        """What a function makes of an open language model."""
        folder = place.base or place.folder
        return await self._do(
            "writes", folder, open_shared_base, lambda opened: do(self._speaker(opened, place))
        )

    async def with_predictor(self, place: Place, do: Callable[[Any], Any]) -> Any:
        """What a function makes of an open classifier."""
        return await self._do("classifies", place.folder, open_predictor, lambda o: do(o.model))

    async def with_encoder(self, place: Place, do: Callable[[Any], Any]) -> Any:
        """What a function makes of an open encoder."""
        return await self._do("encodes", place.folder, open_encoder, lambda o: do(o.model))

    async def _do(
        self,
        kind: str,
        folder: Path,
        make: Callable[[Path], Any],
        do: Callable[[Opened], Any],
    ) -> Any:
        work = _Work(kind, folder, make, do)
        self._inbox.put(work)
        return await asyncio.wrap_future(work.result)

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping:
            self._take_work()
            self._waiting = [work for work in self._waiting if not self._done(work)]
            for speaker in self._busy():
                self._step(speaker)
        for speaker in self._busy():
            speaker.batch.fail(_closing())
        for work in self._waiting:
            _fail(work, _closing())

    def _take_work(self) -> None:
        """All that there is; waits for some where there is nothing else to do."""
        idle = not (self._waiting or self._busy())
        try:
            while True:
                work = self._inbox.get(block=idle)
                if work is not None:
                    self._waiting.append(work)
                idle = False
        except queue.Empty:
            pass

    def _done(self, work: _Work) -> bool:
        if work.result.cancelled():
            return True
        try:
            opened = self._shelf.get(work.kind, work.folder, work.make)
            if opened is None:
                return False
            if not work.result.set_running_or_notify_cancel():
                return True
            found = work.do(opened)
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
            _fail(work, error)
        else:
            work.result.set_result(found)
        return True

    def _step(self, speaker: Speaker) -> None:
        try:
            speaker.batch.step()
        except Exception as error:  # noqa: BLE001 - those who wait for the texts are told
            _log.exception("a step failed")
            known = isinstance(error, ApiError)
            speaker.batch.fail(error if known else ApiError(500, "The model failed on this text"))

    def _speaker(self, opened: Opened, place: Place) -> Speaker:
        if place.adapter not in opened.parts:
            writer = (
                opened.model.plain()
                if place.adapter is None
                else opened.model.adapted(place.adapter, place.folder)
            )
            opened.parts[place.adapter] = Speaker(
                writer, most_texts=self._most_texts, most_bytes=self._cache_bytes
            )
        found: Speaker = opened.parts[place.adapter]
        return found

    def _busy(self) -> list[Speaker]:
        return [
            part
            for opened in self._shelf
            for part in opened.parts.values()
            if not part.batch.is_idle
        ]


def open_engine(settings: ServeSettings) -> Engine:
    """An engine with the memory that the settings give it."""
    free = psutil.virtual_memory().available
    given = settings.model_memory_mib
    models = free // 2 if given is None else given * MIB
    cache = models // 4 if settings.cache_memory_mib is None else settings.cache_memory_mib * MIB
    return Engine(model_bytes=models, cache_bytes=cache, most_texts=settings.texts_at_once)


def _fail(work: _Work, error: Exception) -> None:
    """Tell who waits, unless nobody does any more."""
    if work.result.running() or work.result.set_running_or_notify_cancel():
        work.result.set_exception(error)


def _is_busy(opened: Opened) -> bool:
    return any(not part.batch.is_idle for part in opened.parts.values())


def _closing() -> ApiError:
    return ApiError(503, "The server is closing", None, "server_closing")
