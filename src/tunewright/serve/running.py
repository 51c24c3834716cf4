"""Starts a server, with a worker beside it, or a worker alone; and ends them in order."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tunewright.errors import RunError
from tunewright.serve.door.key_check import asks_for_keys
from tunewright.serve.jobs.worker import STOP_S, Worker
from tunewright.serve.keys import list_keys
from tunewright.serve.known_models import refuse_unknown
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store, open_store

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

AGAIN_S = 2.0
"""Before a worker that died is started again."""
_log = logging.getLogger("tunewright.serve")


def serve(
    settings: ServeSettings,
    *,
    worker: bool = True,
    ready: Callable[[dict[str, Any]], None] = lambda facts: None,
) -> None:
    """Serve until a signal comes.

    Args:
        worker: whether a process that trains is started too.
        ready: told the address once the server listens.
    Raises:
        RunError: the port is taken, the database cannot be opened, or the server could be reached
            by others and there is no key.
    """
    from tunewright.serve.app import build_app

    refuse_unknown(settings)
    app = build_app(settings)
    refuse_open_door(settings, app.state.store)
    listener = _listener(settings)
    port = listener.getsockname()[1]
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    with listener, _worker_beside(settings) if worker else contextlib.nullcontext():
        ready({"url": f"http://{name}:{port}/v1", "worker": worker})
        http_server(app, settings).run(sockets=[listener])


def http_server(app: FastAPI, settings: ServeSettings) -> uvicorn.Server:
    """What speaks HTTP for the app, and writes no log of its own."""
    import uvicorn

    from tunewright.serve.door.http_protocol import protocol_with

    config = uvicorn.Config(
        app,
        http=protocol_with(settings.patience_s),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def work(settings: ServeSettings) -> None:
    """Take jobs until a signal comes; what trains then stops with a checkpoint."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    work_until(settings, stop)


def work_until(settings: ServeSettings, stop: threading.Event) -> None:
    """Take jobs until `stop` is set."""
    store = open_store(settings)
    try:
        Worker(settings, store).run(stop)
    finally:
        store.close()


def refuse_open_door(settings: ServeSettings, store: Store) -> None:
    """Raise RunError where others could reach the server, and none of them would need a key."""
    fix = "make one: tunewright keys create NAME; or listen on 127.0.0.1"
    holds = any(row["revoked_at"] is None for row in list_keys(store))
    if not settings.is_loopback and (settings.require_keys is False or not holds):
        raise RunError(
            f"on {settings.host} others can reach the server, which needs a key that holds", fix=fix
        )
    if asks_for_keys(settings, store) and not holds:
        raise RunError("keys are asked for, and there is none that holds", fix=fix)


def _listener(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise RunError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}",
            fix="choose another with --port, or stop what listens there",
        ) from None


@contextlib.contextmanager
def _worker_beside(settings: ServeSettings) -> Iterator[None]:
    """Within, a worker process is kept alive; it ends when this process does, however that ends."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep_worker, args=(settings, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_S + 10)


def _keep_worker(settings: ServeSettings, stop: threading.Event) -> None:
    while not stop.is_set():
        process = _start_worker(settings)
        while process.poll() is None and not stop.wait(0.2):
            pass
        if process.stdin is not None:
            process.stdin.close()  # which asks it to end
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()
        if not stop.is_set():
            _log.error("the worker ended with %s; it is started again", process.returncode)
            stop.wait(AGAIN_S)


def _start_worker(settings: ServeSettings) -> subprocess.Popen[bytes]:
    """The settings go through its stdin: a database's password must not be among its arguments."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tunewright.serve.running"],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is the server's to answer
    )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(settings.model_dump_json().encode() + b"\n")
            process.stdin.flush()
    return process


def main() -> None:
    """The worker beside a server: settings come in on stdin, whose end is its end."""
    from tunewright.serve.logs import write_logs

    write_logs()
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            return
        line += piece
    stop = threading.Event()

    def wait_for_end() -> None:
        while os.read(0, 1):
            pass
        stop.set()

    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=wait_for_end, daemon=True).start()
    work_until(ServeSettings.model_validate_json(line), stop)


if __name__ == "__main__":
    main()
