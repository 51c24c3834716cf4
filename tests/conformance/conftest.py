"""The server that the statements are about: one of our own, or any that is named.

    TUNEWRIGHT_CONFORMANCE_URL=https://…/v1 TUNEWRIGHT_CONFORMANCE_KEY=… \
    TUNEWRIGHT_CONFORMANCE_MODEL=… python -m pytest tests/conformance

Each statement is asked by both official clients; `-k async` and `-k "not async"` choose one. How
many hold is told at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from named_server import Server, named_server
from official_clients import official_client
from openai import OpenAI
from statements import Tally
from tool_talk import write_tool_model
from watching import Watch

from followed import Again, statuses_of
from served import listening, settings_in
from tiny_chats import chats, write_chat_model
from tiny_models import write_model
from tunewright.serve.app import build_app
from tunewright.serve.keys import create_key
from worked import SETTINGS, upload, wait_for, working

TALLY = Tally()
MIB = 1 << 20


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The named server, or one of our own with a worker, that asks for a key."""
    named = named_server()
    if named is not None:
        yield named
        return
    folder, models = tmp_path_factory.mktemp("server"), tmp_path_factory.mktemp("models")
    model = write_chat_model(models / "tiny")
    bases = (
        *(f"tiny={model}", f"org/tiny={model}", "minilm"),
        f"encoder={write_model(models / 'encoder')}",
        f"tools={write_tool_model(models / 'tools')}",
    )
    settings = settings_in(folder, models=bases, max_file_mib=1, requests_per_minute=100_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(folder / "runs"))
        patch.setenv("TUNEWRIGHT_CACHE", str(folder / "cache"))
        app = build_app(settings)
        key = create_key(app.state.store, "conformance")["key"]
        with listening(app) as url, working(settings):
            own = ("org/tiny", "encoder", "tools")
            yield Server(f"{url}/v1", key, *own, 1, str(model), is_own=True)


@pytest.fixture(autouse=True)
def _isolated() -> None:
    """The server outlives a test: what surrounds it is not each test's own."""


@pytest.fixture(scope="session")
def watch() -> Watch:
    """What was answered so far."""
    return Watch()


@pytest.fixture(autouse=True)
def _published(watch: Watch) -> Iterator[None]:
    """No answer of a test is unlike its published schema: statements 1 to 4, of every test."""
    watch.problems.clear()
    yield
    assert watch.problems == []


@pytest.fixture(scope="session", params=["sync", "async"])
def client(request: pytest.FixtureRequest, server: Server, watch: Watch) -> Iterator[OpenAI]:
    """An official client, of which every answer is looked at."""
    with official_client(request.param, watch.look, server.url, server.key) as client:
        yield client


@pytest.fixture(scope="session")
def raw(server: Server) -> Iterator[Callable[..., httpx.Response]]:
    """`raw("GET", "files", headers={})`: a request without a client."""
    head = {"authorization": f"Bearer {server.key}"}
    with httpx.Client(timeout=120) as http:

        def ask(method: str, path: str, **more: Any) -> httpx.Response:
            headers = head | more.pop("headers", {})
            return http.request(method, f"{server.url}/{path}", headers=headers, **more)

        yield ask


@pytest.fixture(scope="session")
def model(server: Server) -> str:
    """A base that may be trained; with a `/` in its name where it is ours."""
    return server.model


@pytest.fixture(scope="session")
def own(server: Server) -> bool:
    """Whether it is a server of Tunewright, which may be asked for its extensions."""
    return server.is_own


@pytest.fixture(scope="session")
def small(own: bool) -> dict[str, Any]:
    """Of a job: what makes it take seconds."""
    return {"extra_body": {"tunewright": {"settings": SETTINGS}}} if own else {}


@pytest.fixture(scope="session")
def file(client: OpenAI) -> str:
    """Ten conversations."""
    return upload(client, chats(10))


@pytest.fixture(scope="session")
def done(client: OpenAI, model: str, small: dict[str, Any], file: str) -> Any:
    """A job with a validation file that succeeded: four epochs of two steps."""
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=file,
        validation_file=upload(client, chats(16)[10:]),
        suffix="conform",
        seed=11,
        metadata={"what": "conformance"},
        hyperparameters={"n_epochs": 4, "batch_size": 5},
        **small,
    )
    return wait_for(client, job.id, "succeeded", timeout_s=3600)


@pytest.fixture(scope="session")
def again(client: OpenAI, model: str, small: dict[str, Any], done: Any) -> Again:
    """It succeeded; every status that it was seen in."""
    numbers: Any = {"n_epochs": 4, "batch_size": 5}
    file = upload(client, chats(10))
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=file,
        seed=done.seed,
        method={"type": "supervised", "supervised": {"hyperparameters": numbers}},
        **small,
    )
    with statuses_of(client, job.id) as seen:
        job = wait_for(client, job.id, "succeeded", timeout_s=3600)
    return Again(job, file, seen)


@pytest.fixture(scope="session")
def pair(client: OpenAI, file: str, small: dict[str, Any], done: Any) -> list[Any]:
    """Two jobs that were asked for at once, on a model that was tuned before; both succeeded."""
    jobs = [
        client.fine_tuning.jobs.create(
            model=done.fine_tuned_model,
            training_file=file,
            hyperparameters={"n_epochs": 1, "batch_size": 5},
            **small,
        )
        for _ in range(2)
    ]
    return [wait_for(client, job.id, "succeeded", timeout_s=3600) for job in jobs]


@pytest.fixture
def encoder(server: Server) -> str:
    """A model that gives vectors, and is not trained on conversations."""
    if server.encoder is None:
        pytest.skip("TUNEWRIGHT_CONFORMANCE_ENCODER names none")
    return server.encoder


@pytest.fixture
def big_file(tmp_path: Path, server: Server) -> Path:
    """Lines that are larger together than a file may be."""
    path = tmp_path / "big.jsonl"
    line = b'{"text": "' + b"x" * (MIB - 13) + b'"}\n'
    with path.open("wb") as written:
        for _ in range(server.largest_mib + 2):
            written.write(line)
    return path


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what holds."""
    TALLY.take(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what holds, for each client."""
    for line in TALLY.lines():
        terminalreporter.write_line(line)
