"""Jobs that are paused, cancelled or killed: they go on or end, and nothing is trained twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

from followed import losses, metrics, trainers, until_step
from served import served, settings_in
from tiny_chats import write_chat_model
from tunewright.serve.jobs.leases import Lease, LostError, claim, renew
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from worked import create, ten_chats, trained, upload, wait_for, working

LONG = {"n_epochs": 30, "batch_size": 2}  # 150 steps, and a model after each fifth
WORK = """
import sys, threading
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.jobs.worker import Worker
settings = ServeSettings.model_validate_json(sys.argv[1])
Worker(settings, Store(settings.database_url)).run(threading.Event())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def settings(tmp_path: Path, model: Path) -> ServeSettings:
    return settings_in(tmp_path, models=(f"tiny={model}",), lease_s=2.0)


@pytest.fixture
def client(settings: ServeSettings) -> Iterator[OpenAI]:
    with served(settings) as client:
        yield client


@contextmanager
def worker_process(settings: ServeSettings) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", WORK, settings.model_dump_json()]
    process = subprocess.Popen(words)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_paused_job_goes_on_as_if_nothing_had_been(settings: ServeSettings) -> None:
    with trained(settings) as client:
        file, calls = upload(client, ten_chats()), client.fine_tuning.jobs
        whole = create(client, file, seed=7, hyperparameters=LONG).id
        wait_for(client, whole, "succeeded")
        job = create(client, file, seed=7, hyperparameters=LONG).id
        until_step(client, job, 20, timeout_s=120)
        assert calls.pause(job).status == "paused"
        assert trainers() == []
        at = len(metrics(client, job))
        assert 20 <= at < 150
        newest = calls.checkpoints.list(job).data[0]
        assert client.models.retrieve(newest.fine_tuned_model_checkpoint).id
        assert newest.metrics.train_loss == metrics(client, job)[-1]["train_loss"]
        time.sleep(1)
        assert calls.retrieve(job).status == "paused"
        assert calls.resume(job).status == "queued"
        wait_for(client, job, "succeeded")
        assert losses(client, job) == losses(client, whole)
        assert [data["step"] for data in metrics(client, job)] == list(range(1, 151))
        assert [each.step_number for each in calls.checkpoints.list(job)] == [150, 145, 140]


def test_a_cancelled_job_frees_the_machine_at_once(settings: ServeSettings) -> None:
    with trained(settings) as client:
        calls = client.fine_tuning.jobs
        job = create(client, upload(client, ten_chats()), hyperparameters=LONG).id
        until_step(client, job, 5, timeout_s=120)
        assert len(trainers()) == 1
        assert calls.cancel(job).status == "cancelled"
        until = time.monotonic() + 5
        while trainers() and time.monotonic() < until:
            time.sleep(0.05)
        assert trainers() == []
        time.sleep(1)
        assert calls.retrieve(job).status == "cancelled"
        assert calls.list_events(job).data[0].message == "Fine-tuning job cancelled"


@pytest.mark.parametrize("victim", ["worker", "trainer"])
def test_a_killed_process_loses_nothing(
    client: OpenAI, settings: ServeSettings, victim: str
) -> None:
    job = create(client, upload(client, ten_chats()), hyperparameters=LONG).id
    with worker_process(settings) as worker:
        until_step(client, job, 20, timeout_s=120)
        (trainer,) = trainers()
        os.kill(worker.pid if victim == "worker" else trainer.pid, signal.SIGKILL)
        if victim == "trainer":
            wait_for(client, job, "succeeded")
    if victim == "worker":
        trainer.wait(60)  # it stops by itself, with a checkpoint
        with working(settings):
            wait_for(client, job, "succeeded")
    assert [data["step"] for data in metrics(client, job)] == list(range(1, 151))
    assert [e.step_number for e in client.fine_tuning.jobs.checkpoints.list(job)] == [150, 145, 140]


def test_a_worker_that_leaves_lets_the_next_go_on(client: OpenAI, settings: ServeSettings) -> None:
    job = create(client, upload(client, ten_chats()), hyperparameters=LONG).id
    with working(settings):
        until_step(client, job, 20, timeout_s=120)
    assert client.fine_tuning.jobs.retrieve(job).status == "running"
    at = len(metrics(client, job))
    with working(settings):
        wait_for(client, job, "succeeded")
    assert 20 <= at < 150
    assert len(losses(client, job)) == 150


def test_two_workers_share_the_jobs(client: OpenAI, settings: ServeSettings) -> None:
    file = upload(client, ten_chats())
    made = [create(client, file, hyperparameters={"n_epochs": 1}).id for _ in range(3)]
    with working(settings), working(settings):
        for job in made:
            wait_for(client, job, "succeeded")
            started = [e.message for e in client.fine_tuning.jobs.list_events(job)]
            assert started.count("Fine-tuning job started") == 1
    names = {client.fine_tuning.jobs.retrieve(job).fine_tuned_model for job in made}
    assert len(names) == 3


def test_who_lost_a_job_changes_nothing(client: OpenAI, settings: ServeSettings) -> None:
    job = create(client, upload(client, ten_chats())).id
    store = Store(settings.database_url)
    first = claim(store, ("validating_files",), "one", 0.2)
    assert first is not None
    assert claim(store, ("validating_files",), "two", 5.0) is None
    time.sleep(0.3)
    second = claim(store, ("validating_files",), "two", 5.0)
    assert second is not None
    assert second[0] == Lease(job, first[0].fence + 1)
    with pytest.raises(LostError):
        renew(store, first[0], 5.0)
    renew(store, second[0], 5.0)
    store.close()
