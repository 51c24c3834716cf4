"""Statements 21 to 56: jobs, their data, events, checkpoints, results, and the models they make.

Those about stopping and killing are in tests/serve/test_jobs_interrupted.py: from outside a
server cannot be killed.
"""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tiny_chats import chats
from worked import upload, wait_for

pytestmark = pytest.mark.slow  # ten jobs
MESSAGES = (
    *("Created fine-tuning job", "Validating training file", "Files validated"),
    *("Fine-tuning job started", "Step 1/", "New fine-tuned model created"),
    "The job has successfully completed",
)
TEST: Any = {"role": "user", "content": "where is parcel 3?"}


def metrics(client: OpenAI, job: Any) -> list[dict[str, Any]]:
    events = client.fine_tuning.jobs.list_events(job.id, limit=7)
    return [dict(each.data) for each in events if each.type == "metrics"][::-1]  # type: ignore[call-overload]


def test_21_and_22_a_new_job_has_its_seed_and_no_model(
    client: OpenAI, model: str, file: str
) -> None:
    job = client.fine_tuning.jobs.create(model=model, training_file=file)
    assert job.id.startswith("ftjob-")
    assert job.status in ("validating_files", "queued")
    assert 0 <= job.seed < 2**31
    assert job.fine_tuned_model is None
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"


def test_22_the_same_seed_gives_the_same_losses(
    client: OpenAI, model: str, file: str, small: dict[str, Any], done: Any
) -> None:
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=file,
        seed=11,
        hyperparameters={"n_epochs": 4, "batch_size": 5},
        **small,
    )
    again = wait_for(client, job.id, "succeeded", timeout_s=3600)
    ours, theirs = ([each["train_loss"] for each in metrics(client, j)] for j in (again, done))
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert {each["full_valid_loss"] for each in metrics(client, again)} == {None}  # statement 49


def test_23_auto_becomes_numbers(client: OpenAI, done: Any) -> None:
    numbers = done.hyperparameters.to_dict()
    assert all(isinstance(value, int | float) for value in numbers.values())
    assert numbers == done.method.supervised.hyperparameters.to_dict()


def test_26_and_28_a_job_that_succeeded_has_all_it_should(done: Any, model: str) -> None:
    assert done.fine_tuned_model is not None
    assert re.fullmatch(rf"ft:{model}:[^:]*:conform:[^:]+", done.fine_tuned_model)
    assert done.finished_at >= done.created_at
    assert done.trained_tokens > 0
    assert len(done.result_files) == 1
    assert done.metadata == {"what": "conformance"}  # statement 30


def test_29_jobs_are_found_by_their_metadata(client: OpenAI, done: Any) -> None:
    found = list(client.fine_tuning.jobs.list(metadata={"what": "conformance"}, limit=1))
    assert [job.id for job in found] == [done.id]
    every = [job.id for job in client.fine_tuning.jobs.list(limit=2)]
    assert len(set(every)) == len(every)


def test_32_a_finished_job_cannot_be_moved(client: OpenAI, done: Any) -> None:
    for call in (
        client.fine_tuning.jobs.cancel,
        client.fine_tuning.jobs.pause,
        client.fine_tuning.jobs.resume,
    ):
        with pytest.raises(openai.APIStatusError):
            call(done.id)
    assert client.fine_tuning.jobs.retrieve(done.id).status == "succeeded"


def test_35_and_37_a_tuned_model_is_a_base_for_two_at_once(
    client: OpenAI, file: str, small: dict[str, Any], done: Any
) -> None:
    jobs = [
        client.fine_tuning.jobs.create(
            model=done.fine_tuned_model,
            training_file=file,
            hyperparameters={"n_epochs": 1},
            **small,
        )
        for _ in range(2)
    ]
    names = [wait_for(client, job.id, "succeeded", timeout_s=3600).fine_tuned_model for job in jobs]
    assert len(set(names)) == 2


def test_36_an_unknown_base_is_no_model(client: OpenAI, file: str) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.fine_tuning.jobs.create(model="no-such-model", training_file=file)
    assert error.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("rows", "method", "code"),
    [
        (chats(9), "supervised", "invalid_n_examples"),
        ([{"messages": [{"content": "hi"}]}, *chats(9)], "supervised", "invalid_training_file"),
        (chats(10), "dpo", "invalid_training_file"),
    ],
)
def test_27_39_40_41_bad_data_fails_the_job_with_a_code(
    client: OpenAI, model: str, rows: list[Any], method: Any, code: str
) -> None:
    job = client.fine_tuning.jobs.create(
        model=model, training_file=upload(client, rows), method={"type": method}
    )
    failed = wait_for(client, job.id, "failed", timeout_s=3600)
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == (code, "training_file")
    assert failed.error.message
    assert failed.finished_at is not None
    assert failed.fine_tuned_model is None


def test_44_preferences_are_learned(
    client: OpenAI, model: str, small: dict[str, Any], own: bool
) -> None:
    rows = [
        {
            "input": {"messages": [{"role": "user", "content": f"where is parcel {n}?"}]},
            "preferred_output": [{"role": "assistant", "content": "it is here, thank you"}],
            "non_preferred_output": [{"role": "assistant", "content": "no"}],
        }
        for n in range(16)
    ]
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=upload(client, rows[:10]),
        validation_file=upload(client, rows[10:]),
        method={
            "type": "dpo",
            "dpo": {"hyperparameters": {"n_epochs": 6, "batch_size": 5, "beta": 0.5}},
        },
        **small,
    )
    tuned = wait_for(client, job.id, "succeeded", timeout_s=3600)
    assert tuned.method.dpo.hyperparameters.beta == 0.5
    steps = metrics(client, tuned)
    if own:
        assert steps[0]["train_loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert steps[-1]["train_loss"] < steps[0]["train_loss"]


def test_47_and_48_events_tell_every_step_in_order(client: OpenAI, done: Any) -> None:
    events = list(client.fine_tuning.jobs.list_events(done.id, limit=5))[::-1]
    assert len({event.id for event in events}) == len(events)
    told = [event.message for event in events]
    places = [next(n for n, each in enumerate(told) if each.startswith(m)) for m in MESSAGES]
    assert places == sorted(places)
    steps = metrics(client, done)
    assert [each["step"] for each in steps] == list(range(1, 9))
    assert {each["total_steps"] for each in steps} == {8}


def test_49_and_50_checkpoints_are_of_the_last_epochs(client: OpenAI, done: Any) -> None:
    kept = list(client.fine_tuning.jobs.checkpoints.list(done.id, limit=1))
    assert [each.step_number for each in kept] == [8, 6, 4]
    steps = {each["step"]: each for each in metrics(client, done)}
    for each in kept:
        assert each.fine_tuned_model_checkpoint.endswith(f":ckpt-step-{each.step_number}")
        measured = [each.metrics.valid_loss, each.metrics.full_valid_loss]
        assert all(value is not None and math.isfinite(value) for value in measured)
        assert each.metrics.train_loss == steps[each.step_number]["train_loss"]


def test_51_and_55_models_and_checkpoints_answer(client: OpenAI, done: Any) -> None:
    kept = client.fine_tuning.jobs.checkpoints.list(done.id).data
    for name in (done.fine_tuned_model, *(each.fine_tuned_model_checkpoint for each in kept)):
        answer = client.chat.completions.create(model=name, messages=[TEST], max_tokens=4)
        assert answer.choices[0].message.role == "assistant"


def test_52_the_result_file_has_a_row_for_each_step(client: OpenAI, done: Any) -> None:
    content = client.files.content(done.result_files[0]).content
    if not content.startswith(b"step"):
        content = base64.b64decode(content)  # as hosted
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert {"step", "train_loss", "train_accuracy", "valid_loss"} <= set(rows[0])
    steps = metrics(client, done)
    assert [float(row["train_loss"]) for row in rows] == [each["train_loss"] for each in steps]


def test_53_permissions_of_a_checkpoint_come_and_go(client: OpenAI, done: Any) -> None:
    name = client.fine_tuning.jobs.checkpoints.list(done.id).data[0].fine_tuned_model_checkpoint
    calls = client.fine_tuning.checkpoints.permissions
    made = list(calls.create(name, project_ids=["proj_a", "proj_b"]))
    assert [each.project_id for each in made] == ["proj_a", "proj_b"]
    assert {each.id for each in calls.list(name, limit=1)} == {each.id for each in made}
    for each in made:
        assert calls.delete(each.id, fine_tuned_model_checkpoint=name).deleted
    assert list(calls.list(name)) == []


def test_54_names_with_a_slash_are_found_both_ways(client: OpenAI, model: str, done: Any) -> None:
    listed = [each.id for each in client.models.list()]
    head = {"authorization": f"Bearer {client.api_key}"}
    for name in (model, done.fine_tuned_model):
        assert name in listed
        assert client.models.retrieve(name).id == name
        for written in (name, name.replace("/", "%2F")):
            answer = httpx.get(f"{client.base_url}models/{written}", headers=head)
            assert answer.json()["id"] == name


def test_56_a_deleted_model_is_gone_and_its_job_stays(
    client: OpenAI, file: str, small: dict[str, Any], model: str
) -> None:
    job = client.fine_tuning.jobs.create(
        model=model, training_file=file, hyperparameters={"n_epochs": 1}, **small
    )
    name = wait_for(client, job.id, "succeeded", timeout_s=3600).fine_tuned_model
    assert client.models.delete(name).deleted
    for call in (
        lambda: client.models.retrieve(name),
        lambda: client.chat.completions.create(model=name, messages=[TEST]),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            call()
        assert error.value.code == "model_not_found"
    assert client.fine_tuning.jobs.retrieve(job.id).status == "succeeded"
    assert client.files.retrieve(file).id == file
