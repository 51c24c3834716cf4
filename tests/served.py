"""A server of Tunewright in this process, on a free port of loopback, over real HTTP.

With TUNEWRIGHT_TEST_POSTGRESQL, the URL of a PostgreSQL server whose user may create databases, every
server of the tests has a database of its own there in the place of SQLite.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from openai import OpenAI
from sqlalchemy import create_engine, make_url, text

from tunewright.serve.app import build_app
from tunewright.serve.running import http_server
from tunewright.serve.settings import ServeSettings

KEY = "sk-not-asked-for"


def settings_in(folder: Path, **more: Any) -> ServeSettings:
    """Settings of a server whose files are in this folder."""
    server = os.environ.get("TUNEWRIGHT_TEST_POSTGRESQL")
    if server is not None:
        more.setdefault("database", database_of(folder, server))
    return ServeSettings(folder=folder / "served", **more)


def database_of(folder: Path, server: str) -> str:
    """The URL of the folder's own database of a PostgreSQL server, made where there is none."""
    url = make_url(server)
    name = "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = text("select 1 from pg_database where datname = :name")
        if connection.execute(known, {"name": name}).first() is None:
            connection.execute(text(f"create database {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Within, the app listens; yields `http://127.0.0.1:PORT`."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = http_server(app, app.state.settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()
        assert not thread.is_alive()


@contextmanager
def served(settings: ServeSettings) -> Iterator[OpenAI]:
    """Within, a server with these settings; yields an unmodified client of it."""
    with (
        listening(build_app(settings)) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60) as client,
    ):
        yield client
