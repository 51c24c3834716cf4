"""Statements 31 to 34: jobs that are cancelled, paused, or lose their server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import openai
import pytest
from killable import killable
from openai import OpenAI

from followed import is_legal, losses, metrics, statuses_of, trainers, until_step
from tiny_chats import chats
from worked import SETTINGS, upload, wait_for

pytestmark = pytest.mark.slow  # jobs are trained
LONG: Any = {"n_epochs": 30, "batch_size": 2}  # 150 steps
FREE_S = 10.0
"""After a job was cancelled, what trained it is gone by then."""


def test_31_a_cancelled_job_ends_at_once(
    client: OpenAI, model: str, file: str, small: dict[str, Any], own: bool
) -> None:
    jobs = client.fine_tuning.jobs
    running, queued = (
        jobs.create(model=model, training_file=file, hyperparameters=LONG, **small).id
        for _ in range(2)
    )
    until_step(client, running, 3)
    assert jobs.cancel(queued).status == "cancelled"
    assert jobs.cancel(running).status == "cancelled"
    time.sleep(FREE_S / 2)
    told = len(metrics(client, running))
    time.sleep(FREE_S / 2)
    if own:
        assert trainers() == []
    assert len(metrics(client, running)) == told < 150
    assert metrics(client, queued) == []
    for job in (running, queued):
        found = jobs.retrieve(job)
        assert (found.status, found.fine_tuned_model) == ("cancelled", None)
        assert found.finished_at is not None


def test_32_a_finished_job_cannot_be_moved(client: OpenAI, done: Any) -> None:
    jobs = client.fine_tuning.jobs
    for call in (jobs.cancel, jobs.pause, jobs.resume):
        with pytest.raises(openai.APIStatusError):
            call(done.id)
    assert jobs.retrieve(done.id).status == "succeeded"


def test_25_and_32_and_33_a_paused_job_goes_on_as_if_nothing_had_been(
    client: OpenAI, model: str, file: str, small: dict[str, Any]
) -> None:
    jobs = client.fine_tuning.jobs
    whole, job = (
        jobs.create(model=model, training_file=file, seed=7, hyperparameters=LONG, **small).id
        for _ in range(2)
    )
    with statuses_of(client, job) as seen:
        with pytest.raises(openai.APIStatusError):
            jobs.resume(job)
        until_step(client, job, 20)
        assert jobs.pause(job).status == "paused"
        at = len(metrics(client, job))
        assert 20 <= at < 150
        newest = jobs.checkpoints.list(job).data[0]
        assert client.models.retrieve(newest.fine_tuned_model_checkpoint).id
        with pytest.raises(openai.APIStatusError):
            jobs.pause(job)
        time.sleep(1)
        assert jobs.retrieve(job).status == "paused"
        assert len(metrics(client, job)) == at
        assert jobs.resume(job).status in ("queued", "running")
        wait_for(client, job, "succeeded", timeout_s=3600)
    assert is_legal(seen), seen
    assert "paused" in seen
    assert [each["step"] for each in metrics(client, job)] == list(range(1, 151))
    wait_for(client, whole, "succeeded", timeout_s=3600)
    assert losses(client, job) == pytest.approx(losses(client, whole), abs=1e-3)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_34_a_killed_server_loses_nothing(kind: str, tmp_path: Path, own: bool, watch: Any) -> None:
    if not own:
        pytest.skip("from outside a server cannot be killed")
    with killable(tmp_path, kind, watch.look) as (client, kill):
        jobs = client.fine_tuning.jobs
        more = {"extra_body": {"tunewright": {"settings": SETTINGS}}}
        file = upload(client, chats(10))
        running, queued = (
            jobs.create(model="tiny", training_file=file, hyperparameters=LONG, **more).id
            for _ in range(2)
        )
        jobs.cancel(queued)
        until_step(client, running, 12)
        kept = [each.id for each in jobs.checkpoints.list(running)]
        told = [each.id for each in jobs.list_events(running)]
        kill()
        assert [job.id for job in jobs.list()] == [queued, running]
        assert jobs.retrieve(queued).status == "cancelled"
        assert [each.id for each in jobs.list_events(running)][-len(told) :] == told
        assert kept
        ended = wait_for(client, running, "succeeded", timeout_s=3600)
        assert [each["step"] for each in metrics(client, running)] == list(range(1, 151))
        started = [each.message for each in jobs.list_events(running)]
        assert started.count("Fine-tuning job started") == 1
        assert client.models.retrieve(ended.fine_tuned_model).id
        assert client.files.retrieve(file).id == file
