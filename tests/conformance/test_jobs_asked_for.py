"""Statements 21 to 30 and 35 to 38: jobs that are asked for, and how they end."""

from __future__ import annotations

import re
from typing import Any

import openai
import pytest
from openai import OpenAI

from followed import Again, is_legal, losses
from tiny_chats import chats
from worked import upload, wait_for

pytestmark = pytest.mark.slow  # jobs are trained


def test_21_and_22_a_new_job_has_its_seed_and_no_model(
    client: OpenAI, model: str, file: str
) -> None:
    job = client.fine_tuning.jobs.create(model=model, training_file=file)
    assert job.id.startswith("ftjob-")
    assert job.status in ("validating_files", "queued")
    assert 0 <= job.seed < 2**31
    assert job.fine_tuned_model is None
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"


def test_22_and_24_the_same_seed_gives_the_same_losses_however_numbers_are_given(
    client: OpenAI, done: Any, again: Again
) -> None:
    assert losses(client, again.job.id) == pytest.approx(losses(client, done.id), abs=1e-3)
    assert again.job.hyperparameters == done.hyperparameters
    assert again.job.method == done.method


def test_23_auto_becomes_numbers(client: OpenAI, done: Any) -> None:
    numbers = done.hyperparameters.to_dict()
    assert all(isinstance(value, int | float) for value in numbers.values())
    assert numbers == done.method.supervised.hyperparameters.to_dict()


def test_24_numbers_that_contradict_each_other_are_refused(
    client: OpenAI, model: str, file: str
) -> None:
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}
    numbers: Any = {"n_epochs": 2}
    with pytest.raises(openai.BadRequestError) as error:
        client.fine_tuning.jobs.create(
            model=model, training_file=file, method=method, hyperparameters=numbers
        )
    assert str(error.value.param).endswith("n_epochs")


def test_25_a_job_goes_one_way_and_stays_where_it_ended(client: OpenAI, again: Again) -> None:
    jobs = client.fine_tuning.jobs
    assert is_legal(again.statuses), again.statuses
    bad = jobs.create(model=again.job.model, training_file=upload(client, chats(9))).id
    wait_for(client, bad, "failed", timeout_s=3600)
    for ended, status in ((again.job.id, "succeeded"), (bad, "failed")):
        for call in (jobs.cancel, jobs.pause, jobs.resume):
            with pytest.raises(openai.APIStatusError):
                call(ended)
        assert jobs.retrieve(ended).status == status


def test_26_and_28_a_job_that_succeeded_has_all_it_should(done: Any, model: str) -> None:
    assert done.fine_tuned_model is not None
    assert re.fullmatch(rf"ft:{model}:[^:]*:conform:[^:]+", done.fine_tuned_model)
    assert done.finished_at >= done.created_at
    assert done.trained_tokens > 0
    assert len(done.result_files) == 1
    assert done.error is None or done.error.code is None


def test_28_without_a_suffix_its_place_in_the_name_is_empty(again: Again, model: str) -> None:
    assert re.fullmatch(rf"ft:{model}:[^:]*::[^:]+", again.job.fine_tuned_model)


def test_29_jobs_are_found_by_their_metadata(client: OpenAI, done: Any) -> None:
    jobs = client.fine_tuning.jobs
    found = list(jobs.list(metadata={"what": "conformance"}, limit=1))
    assert done.id in [job.id for job in found]
    assert all(job.metadata == {"what": "conformance"} for job in found)
    without = [job.id for job in jobs.list(extra_query={"metadata": "null"}, limit=2)]
    every = list(jobs.list(limit=2))
    assert done.id in [job.id for job in every]
    assert done.id not in without
    assert len({job.id for job in every}) == len(every)
    times = [job.created_at for job in every]
    assert times == sorted(times, reverse=True)
    assert [each.id for each in jobs.list(after=every[0].id, limit=1).data] == [every[1].id]


def test_30_metadata_and_suffix_come_back_as_they_went(
    client: OpenAI, model: str, file: str
) -> None:
    jobs = client.fine_tuning.jobs
    metadata = {"k" * 64: "v" * 512, "Größe & co = ?": "æ 漢 \U0001f600\n\t\"'", "empty": ""}
    for suffix in ("My bot 1.0", "s" * 64):
        job = jobs.create(model=model, training_file=file, suffix=suffix, metadata=metadata)
        listed = next(each for each in jobs.list() if each.id == job.id)
        for each in (job, jobs.retrieve(job.id), listed, jobs.cancel(job.id)):
            assert each.metadata == metadata
            assert each.to_dict().get("user_provided_suffix", suffix) == suffix
    pair = {"Größe & co = ?": metadata["Größe & co = ?"]}
    assert job.id in [each.id for each in jobs.list(metadata=pair)]


def test_35_and_37_a_tuned_model_is_a_base_for_two_at_once(pair: list[Any], done: Any) -> None:
    assert {job.model for job in pair} == {done.fine_tuned_model}
    assert len({job.fine_tuned_model for job in pair}) == 2


def test_36_an_unknown_base_is_no_model(client: OpenAI, file: str) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.fine_tuning.jobs.create(model="no-such-model", training_file=file)
    assert error.value.code == "model_not_found"


def test_36_a_base_that_cannot_be_trained_so_is_refused(
    client: OpenAI, file: str, encoder: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.fine_tuning.jobs.create(model=encoder, training_file=file)
    assert error.value.code == "model_not_available"


def test_38_what_should_be_told_of_a_job_is_told_or_refused(
    client: OpenAI, model: str, file: str
) -> None:
    asked: Any = [{"type": "wandb", "wandb": {"project": "conformance"}}]
    refused: Any = None
    try:
        job = client.fine_tuning.jobs.create(model=model, training_file=file, integrations=asked)
    except openai.BadRequestError as error:
        refused = error
    if refused is not None:
        assert str(refused.param).startswith("integrations")
        return
    client.fine_tuning.jobs.cancel(job.id)
    assert [each.wandb.project for each in job.integrations or ()] == ["conformance"]
