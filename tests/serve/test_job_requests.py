"""What a job may ask for: everything else is refused with the field, or fails with the line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from served import served, settings_in
from tiny_chats import chats
from tunewright.serve.store import Store
from tunewright.serve.tables import jobs
from worked import create, ten_chats, upload, wait_for, working


@pytest.fixture
def client(tmp_path: Path) -> Iterator[OpenAI]:
    """There is no worker: jobs stay as they are asked for."""
    with served(settings_in(tmp_path, models=(f"tiny={tmp_path}", "minilm"))) as client:
        yield client


@pytest.fixture
def file(client: OpenAI) -> str:
    return upload(client, ten_chats())


def refused(client: OpenAI, file: str, **more: Any) -> tuple[str | None, str | None]:
    with pytest.raises(openai.BadRequestError) as error:
        client.fine_tuning.jobs.create(**{"model": "tiny", "training_file": file} | more)
    return error.value.param, error.value.code


def of(kind: str, **numbers: Any) -> dict[str, Any]:
    return {"method": {"type": kind, kind: {"hyperparameters": numbers}}}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": 1.5}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": True}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": 257}}, "hyperparameters.batch_size"),
        ({"hyperparameters": {"epochs": 1}}, "hyperparameters.epochs"),
        (
            of("supervised", learning_rate_multiplier=0),
            "method.supervised.hyperparameters.learning_rate_multiplier",
        ),
        (of("dpo", beta=3), "method.dpo.hyperparameters.beta"),
        (of("supervised", beta=1), "method.supervised.hyperparameters.beta"),
        (of("supervised", n_epochs=2) | {"hyperparameters": {"n_epochs": 3}}, "hyperparameters.n_epochs"),
        ({"method": {"type": "dpo", "supervised": {}}}, "method"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"method": {"type": "reinforcement", "reinforcement": {"grader": {}}}}, "method.type"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"suffix": ""}, "suffix"),
        ({"suffix": "a:b"}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: "x"}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, "integrations"),
        ({"extra_body": {"colour": "red"}}, "colour"),
        ({"extra_body": {"tunewright": {"task": "cooking"}}}, "tunewright.task"),
        ({"extra_body": {"tunewright": {"settings": {"data.train": "/etc/passwd"}}}}, "tunewright.settings"),
        ({"extra_body": {"tunewright": {"settings": {"evaluate.own": "a.py:f"}}}}, "tunewright.settings"),
        ({"extra_body": {"tunewright": {"settings": {"train.warmup": 7}}}}, "tunewright.settings"),
        ({"metadata": {"tunewright:train.colour": "red"}}, "metadata.tunewright:train.colour"),
        ({"model": "minilm"}, "model"),
    ],
)  # fmt: skip
def test_what_cannot_be_granted_is_refused_with_its_field(
    client: OpenAI, file: str, more: dict[str, Any], param: str
) -> None:
    assert refused(client, file, **more)[0] == param
    assert list(client.fine_tuning.jobs.list()) == []


def test_models_and_files_must_be_there(client: OpenAI, file: str) -> None:
    with pytest.raises(openai.NotFoundError, match="gpt-x") as error:
        client.fine_tuning.jobs.create(model="gpt-x", training_file=file)
    assert (error.value.code, error.value.param) == ("model_not_found", "model")
    for param in ("training_file", "validation_file"):
        with pytest.raises(openai.NotFoundError, match="file-none") as error:
            create(client, **{"training_file": file, param: "file-none"})
        assert error.value.param == param
    other = client.files.create(file=("a.jsonl", b"{}"), purpose="evals").id
    assert refused(client, other) == ("training_file", "invalid_file_purpose")


@pytest.mark.parametrize(
    ("architecture", "is_taken"), [("LlamaForCausalLM", True), ("BertModel", False)]
)
def test_a_folder_that_writes_no_texts_is_not_trained_to(
    client: OpenAI, file: str, tmp_path: Path, architecture: str, is_taken: bool
) -> None:
    config = json.dumps({"architectures": [architecture]})
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    if is_taken:
        assert create(client, file).id
        return
    with pytest.raises(openai.BadRequestError) as error:
        create(client, file)
    assert (error.value.code, error.value.param) == ("model_not_available", "model")


def test_what_is_null_is_as_if_it_were_not_there(client: OpenAI, file: str) -> None:
    none: Any = None
    job = client.fine_tuning.jobs.create(
        model="tiny",
        training_file=file,
        validation_file=none,
        suffix=none,
        seed=none,
        integrations=none,
        metadata=none,
        method=none,
        hyperparameters=none,
    )
    assert job.hyperparameters.n_epochs == "auto"
    assert job.metadata is None
    assert job.fine_tuned_model is None


def test_malformed_json_and_unknown_fields_are_told_apart(client: OpenAI) -> None:
    url = f"{client.base_url}fine_tuning/jobs"
    head = {"content-type": "application/json"}
    for content, code in ((b'{"model": ', "invalid_json"), (b"{}", "missing_required_parameter")):
        answer = httpx.post(url, content=content, headers=head)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_both_ways_to_give_numbers_mean_the_same(client: OpenAI, file: str) -> None:
    old = create(client, file, hyperparameters={"n_epochs": 3})
    new = create(client, file, **of("supervised", n_epochs=3))
    assert old.method == new.method
    assert old.hyperparameters == new.hyperparameters
    assert create(client, file, **of("dpo", beta=0.3)).method.dpo.hyperparameters.beta == 0.3


def test_lists_page_and_filter(client: OpenAI, file: str) -> None:
    made = [create(client, file, metadata={"n": str(n % 2)}).id for n in range(4)]
    plain = create(client, file).id
    listed = client.fine_tuning.jobs.list
    assert [job.id for job in listed(limit=2)] == [plain, *made[::-1]]
    assert [job.id for job in listed(metadata={"n": "1"}, limit=1)] == [made[3], made[1]]
    assert [job.id for job in listed(metadata={"n": "1", "other": "x"})] == []
    assert [job.id for job in listed(extra_query={"metadata": "null"})] == [plain]
    assert [job.id for job in listed(after=made[1])] == [made[0]]
    with pytest.raises(openai.BadRequestError, match="colour"):
        listed(extra_query={"colour": "red"})


@pytest.mark.parametrize("key", ["Größe", 'a"b', "a\\b", "a.b[0]", "\U0001f600", "tab\tx", ""])
def test_metadata_is_found_whatever_letters_it_has(client: OpenAI, file: str, key: str) -> None:
    job = create(client, file, metadata={key: "æ\n\"'"}).id
    listed = client.fine_tuning.jobs.list
    assert [each.id for each in listed(metadata={key: "æ\n\"'"})] == [job]
    assert [each.id for each in listed(metadata={key: "other"})] == []


def test_a_state_is_left_only_where_it_may_be(client: OpenAI, file: str) -> None:
    calls = client.fine_tuning.jobs
    job = create(client, file).id
    again = client.with_options(max_retries=2).fine_tuning.jobs
    for call in (again.pause, again.resume):
        with pytest.raises(openai.ConflictError, match="validating_files") as error:
            call(job)
        assert error.value.code == "invalid_job_state"
        assert error.value.response.headers["x-should-retry"] == "false"
    cancelled = calls.cancel(job)
    assert (cancelled.status, cancelled.finished_at is not None) == ("cancelled", True)
    for call in (calls.cancel, calls.pause, calls.resume):
        with pytest.raises(openai.ConflictError):
            call(job)
        with pytest.raises(openai.NotFoundError, match="ftjob-none"):
            call("ftjob-none")
    assert calls.retrieve(job) == cancelled
    client.files.delete(file)
    assert calls.retrieve(job) == cancelled


GOOD = chats(10)


def with_first(row: Any) -> list[Any]:
    return [row, *GOOD[1:]]


def said(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(messages)}


USER: dict[str, Any] = {"role": "user", "content": "hi"}
ANSWER: dict[str, Any] = {"role": "assistant", "content": "hello"}
PAIR: dict[str, Any] = {
    "input": {"messages": [USER]},
    "preferred_output": [ANSWER],
    "non_preferred_output": [{**ANSWER, "content": "no"}],
}


@pytest.mark.parametrize(
    ("rows", "method", "code", "message"),
    [
        (GOOD[:9], "supervised", "invalid_n_examples", r"9 example\(s\)"),
        (with_first(said({"content": "hi"}, ANSWER)), "supervised", "invalid_training_file", "Example 1, line 1.*role"),
        (with_first(said(USER)), "supervised", "invalid_training_file", "Example 1.*assistant"),
        (with_first(said({**USER, "weight": 1}, ANSWER)), "supervised", "invalid_training_file", "weight"),
        (with_first(said(USER, {**ANSWER, "weight": 2})), "supervised", "invalid_training_file", "weight is 2"),
        (with_first(said(USER, {"role": "assistant", "tool_calls": [{"id": "1"}]})), "supervised", "invalid_training_file", "call"),
        (with_first({"text": "hi"}), "supervised", "invalid_training_file", "Unexpected file format"),
        (with_first({**GOOD[0], "colour": 1}), "supervised", "invalid_training_file", "colour"),
        (GOOD, "dpo", "invalid_training_file", "not using 'supervised'"),
        ([PAIR] * 10, "supervised", "invalid_training_file", "not using 'dpo'"),
        ([{**PAIR, "preferred_output": []}, *[PAIR] * 9], "dpo", "invalid_training_file", "preferred_output"),
        ([{**PAIR, "colour": 1}, *[PAIR] * 9], "dpo", "invalid_training_file", "colour"),
    ],
)  # fmt: skip
def test_a_bad_file_fails_the_job_with_the_example(
    client: OpenAI, tmp_path: Path, rows: list[Any], method: str, code: str, message: str
) -> None:
    job = create(client, upload(client, rows), method={"type": method})
    with working(settings_in(tmp_path)):
        failed = wait_for(client, job.id, "failed")
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == (code, "training_file")
    assert re.search(message, failed.error.message), failed.error.message
    assert failed.finished_at is not None
    assert failed.fine_tuned_model is None
    newest = client.fine_tuning.jobs.list_events(job.id).data[0]
    assert (newest.level, newest.message) == ("error", failed.error.message)


def test_every_problem_of_a_file_is_told(client: OpenAI, tmp_path: Path) -> None:
    rows = [said(USER), *GOOD, said({**USER, "role": "bot"}, {**ANSWER, "weight": 3})]
    job = create(client, upload(client, rows))
    with working(settings_in(tmp_path)):
        failed = wait_for(client, job.id, "failed")
    assert failed.error is not None
    for each in ("Example 1, line 1, messages", "Example 12, line 12, messages[0].role", "weight"):
        assert each in failed.error.message


def test_a_job_that_waits_survives_the_server(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, models=(f"tiny={tmp_path}",))
    with served(settings) as client:
        job = create(client, upload(client, ten_chats()))
    with served(settings) as client:
        assert client.fine_tuning.jobs.retrieve(job.id) == job
        assert len(list(client.fine_tuning.jobs.list_events(job.id))) == 2
    store = Store(settings.database_url)
    assert store.get(jobs, job.id) is not None
    store.close()
