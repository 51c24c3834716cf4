"""Statements 47 to 53: events, checkpoints and results."""

from __future__ import annotations

import base64
import csv
import io
import math
from typing import Any

import pytest
from listed_permissions import permissions_of
from openai import OpenAI

from followed import Again, metrics

pytestmark = pytest.mark.slow  # a job is trained
MESSAGES = (
    *("Created fine-tuning job", "Validating training file", "Files validated"),
    *("Fine-tuning job started", "Step 1/", "New fine-tuned model created"),
    "The job has successfully completed",
)
TEST: Any = {"role": "user", "content": "where is parcel 3?"}


def test_47_and_48_events_tell_every_step_in_order(client: OpenAI, done: Any) -> None:
    events = list(client.fine_tuning.jobs.list_events(done.id, limit=5))[::-1]
    assert len({event.id for event in events}) == len(events)
    told = [event.message for event in events]
    places = [next(n for n, each in enumerate(told) if each.startswith(m)) for m in MESSAGES]
    assert places == sorted(places)
    steps = metrics(client, done.id)
    assert [each["step"] for each in steps] == list(range(1, 9))
    assert {each["total_steps"] for each in steps} == {8}


def test_49_without_a_validation_file_nothing_is_measured_on_it(
    client: OpenAI, again: Again
) -> None:
    for each in metrics(client, again.job.id):
        assert {value for name, value in each.items() if "valid" in name} <= {None}


def test_49_and_50_checkpoints_are_of_the_last_epochs(client: OpenAI, done: Any) -> None:
    kept = list(client.fine_tuning.jobs.checkpoints.list(done.id, limit=1))
    assert [each.step_number for each in kept] == [8, 6, 4]
    steps = {each["step"]: each for each in metrics(client, done.id)}
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
    columns = {"step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"}
    assert columns <= set(rows[0])
    steps = metrics(client, done.id)
    assert [float(row["train_loss"]) for row in rows] == [each["train_loss"] for each in steps]


def test_53_permissions_of_a_checkpoint_come_and_go(client: OpenAI, done: Any) -> None:
    name = client.fine_tuning.jobs.checkpoints.list(done.id).data[0].fine_tuned_model_checkpoint
    calls = client.fine_tuning.checkpoints.permissions
    made = list(calls.create(name, project_ids=["proj_a", "proj_b"]))
    assert [each.project_id for each in made] == ["proj_a", "proj_b"]
    assert {each.id for each in permissions_of(client, name)} == {each.id for each in made}
    for each in made:
        assert calls.delete(each.id, fine_tuned_model_checkpoint=name).deleted
    assert list(permissions_of(client, name)) == []
