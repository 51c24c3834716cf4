"""A server with tiny random models in its store, and what its answers should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import OpenAI

from served import KEY, listening, settings_in
from tunewright.serve.app import build_app
from tunewright.serve.tables import models


@dataclass
class Server:
    """A client of it, and its app."""

    client: OpenAI
    app: Any
    url: str

    def add(self, name: str, folder: Path, task: str = "text-generation") -> str:
        """Have a folder answer under a name."""
        self.app.state.store.add(
            models, id=name, owned_by="local", base="tiny", path=str(folder), task=task
        )
        return name


@contextmanager
def answering(folder: Path, **settings: Any) -> Iterator[Server]:
    """Within, a server with an engine."""
    app = build_app(
        settings_in(folder, **{"model_memory_mib": 64, "cache_memory_mib": 16} | settings)
    )
    with (
        listening(app) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60) as client,
    ):
        yield Server(client, app, url)
