"""Server and worker are killed again and again over a queue of jobs: none is lost, none trained twice.

Killed is killed: SIGKILL to the process, at a moment drawn at random.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from figures import prove
from openai import APIConnectionError, APIStatusError, OpenAI
from sqlalchemy import select, text

from served import settings_in
from tiny_chats import write_chat_model
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.tables import jobs
from worked import create, ten_chats, upload

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")]
JOBS, SERVER_KILLS, WORKER_KILLS = 50, 100, 50
SMALL = {"n_epochs": 2, "batch_size": 2}
STEPS = list(range(1, 11))
NEXT = {
    "validating_files": {"queued", "running", "succeeded"},
    "queued": {"running", "succeeded"},
    "running": {"succeeded"},
    "succeeded": set(),
}
START = """
import sys
from tunewright.serve.running import serve, work
from tunewright.serve.settings import ServeSettings
settings = ServeSettings.model_validate_json(sys.argv[2])
serve(settings, worker=False) if sys.argv[1] == "serve" else work(settings)
"""


class Killed:
    """Processes of one kind, one after the other: each is killed after a while."""

    def __init__(
        self, kind: str, settings: ServeSettings, kills: int, lives_s: tuple[float, float]
    ):
        self.words = [sys.executable, "-c", START, kind, settings.model_dump_json()]
        self.left = kills
        self.lives_s = lives_s
        self.random = random.Random(kind)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self.stop.is_set():
            process = subprocess.Popen(self.words, stderr=subprocess.DEVNULL)
            lives_s = self.random.uniform(*self.lives_s) if self.left else 3600.0
            self.stop.wait(lives_s)
            self.left -= not self.stop.is_set()
            process.kill()
            process.wait()


class Watch:
    """What is seen from outside: processes that train one job, and the states that jobs go through."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.twice: set[str] = set()
        self.wrong: set[tuple[str, str, str]] = set()
        self.states: dict[str, str] = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self.stop.wait(0.1):
            holders = Counter(running_runs())
            self.twice |= {run for run, count in holders.items() if count > 1}
            with self.store.reading() as connection:
                seen = connection.execute(select(jobs.c.id, jobs.c.status)).all()
            for job, state in seen:
                before = self.states.get(job, state)
                if state != before and state not in NEXT.get(before, set()):
                    self.wrong.add((job, before, state))
                self.states[job] = state


def running_runs() -> Iterator[str]:
    """The run of each process that has its lock open: it trains or saves."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "tunewright.serve.jobs.job_process" in words:
                lock = str(Path(words[-1]) / ".lock")
                yield from (words[-1] for each in process.open_files() if each.path == lock)


@contextmanager
def going(*those: Killed | Watch) -> Iterator[None]:
    """Within, they go on; afterwards they are at their end."""
    for each in those:
        each.thread.start()
    try:
        yield
    finally:
        for each in those:
            each.stop.set()
        for each in those:
            each.thread.join(60)


def persistently(call: Callable[[], Any], until: float) -> Any:
    """What a client's call gives, asked again whenever the server is not there."""
    while True:
        try:
            return call()
        except (APIConnectionError, APIStatusError) as error:
            is_refused = isinstance(error, APIStatusError) and error.status_code < 500
            if is_refused or time.monotonic() > until:
                raise
            time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_no_job_is_lost_or_trained_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(tmp_path / "runs"))
    model = write_chat_model(tmp_path / "tiny")
    settings = settings_in(
        tmp_path,
        models=(f"tiny={model}",),
        lease_s=3.0,
        port=free_port(),
        requests_per_minute=10**6,
    )
    settings.files_folder.mkdir(parents=True)
    store = Store(settings.database_url)
    server = Killed("serve", settings, SERVER_KILLS, (4.0, 12.0))
    worker = Killed("work", settings, WORKER_KILLS, (6.0, 30.0))
    watch = Watch(store)
    until = time.monotonic() + 3 * 3600
    url = f"http://127.0.0.1:{settings.port}/v1"
    with (
        going(server, worker, watch),
        OpenAI(base_url=url, api_key="sk-none", max_retries=0, timeout=20) as client,
    ):
        file = persistently(lambda: upload(client, ten_chats()), until)
        acknowledged = [
            persistently(lambda: create(client, file, hyperparameters=SMALL).id, until)
            for _ in range(JOBS)
        ]
        while server.left or worker.left or not all_ended(store):
            assert time.monotonic() < until, (server.left, worker.left, watch.states)
            time.sleep(1)
        made = set(watch.states)
        states = Counter(watch.states.values())
        whole = sum(is_whole(client, job, until) for job in made)
    print(len(made), "jobs", states, watch.wrong, watch.twice)
    prove(
        f"acknowledged jobs after {SERVER_KILLS} kills of the server and {WORKER_KILLS} of the "
        "worker: none lost",
        len(made & set(acknowledged)),
        JOBS,
    )
    prove("jobs succeeded, every step told once, their models listed", whole, len(made))
    prove("jobs never trained by two processes at once", len(made) - len(watch.twice), len(made))
    prove("jobs went through right states alone", len(made) - len(watch.wrong), len(made))
    prove("runs, one for each job", len(list((tmp_path / "runs").glob("*/run.json"))), len(made))
    prove("checks of the database clean", int(is_sound(store)), 1)
    store.close()


def all_ended(store: Store) -> bool:
    with store.reading() as connection:
        return all(
            state == "succeeded" or state == "failed"
            for (state,) in connection.execute(select(jobs.c.status))
        )


def is_whole(client: OpenAI, job: str, until: float) -> bool:
    """Whether a job ended as one that nobody disturbed does."""
    calls = client.fine_tuning.jobs
    found = persistently(lambda: calls.retrieve(job), until)
    told = persistently(lambda: list(calls.list_events(job, limit=100)), until)
    steps = [dict(event.data or {})["step"] for event in told if event.type == "metrics"]
    model = persistently(lambda: client.models.retrieve(found.fine_tuned_model), until)
    return (
        found.status == "succeeded" and steps[::-1] == STEPS and model.id == found.fine_tuned_model
    )


def is_sound(store: Store) -> bool:
    """Whether the database finds no fault in itself, and no job is held by anybody."""
    with store.reading() as connection:
        held = connection.execute(select(jobs.c.id).where(jobs.c.owner.is_not(None))).all()
        if store.engine.dialect.name != "sqlite":
            return not held
        checks = ("integrity_check", "foreign_key_check")
        said = [connection.execute(text(f"PRAGMA {check}")).all() for check in checks]
    return not held and said == [[("ok",)], []]
