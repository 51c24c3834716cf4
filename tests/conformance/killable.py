"""A server of Tunewright in a process of its own, that can be killed and started again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from official_clients import official_client

from tiny_chats import write_chat_model

START = "import sys; from tunewright.cli.main import main; main(sys.argv[1:])"


@contextmanager
def killable(
    folder: Path, kind: str, look: Callable[[httpx.Response], None]
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Within, a server with a worker; yields a client, and what kills the server and starts it again.

    Args:
        kind: of the client. look: is shown every answer.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    model = write_chat_model(folder / "tiny")
    words = ("serve", "--port", port, "--models", f"tiny={model}", "--folder", str(folder / "s"))
    more = {"TUNEWRIGHT_RUNS": str(folder / "runs"), "TUNEWRIGHT_CACHE": str(folder / "cache")}
    environment = {**os.environ, **more, "PYTHONPATH": os.pathsep.join(sys.path)}
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (folder / "serve.log").open("ab") as log:
            command = [sys.executable, "-c", START, *words]
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        _until_it_answers(f"http://127.0.0.1:{port}/health", running[-1])

    def kill() -> None:
        end()
        start()

    def end() -> None:
        running[-1].kill()
        running[-1].wait()

    with ExitStack() as stack:
        stack.callback(end)
        start()
        url = f"http://127.0.0.1:{port}/v1"
        yield stack.enter_context(official_client(kind, look, url, "sk-not-asked-for")), kill


def _until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")
