"""Statements 1 to 11: the wire and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from grader_samples import EXACT
from listed_permissions import permissions_of
from named_server import Server
from openai import OpenAI
from published import PATHS, STREAMS, UNSAID
from watching import Watch

from tiny_chats import chats
from worked import upload

SAID: list[Any] = [{"role": "user", "content": "where is the parcel?"}]
REQUIRED_NULLS = (
    *("error", "finished_at", "fine_tuned_model", "trained_tokens", "validation_file"),
    *("organization_id", "result_files", "seed", "hyperparameters"),
)
EXTENSION = "tunewright"


def ask_of_everything(client: OpenAI, server: Server, job: Any) -> None:
    """One call of each kind that the API has; what is made goes again."""
    model, limited = server.model, {"max_tokens": 4}
    file = client.files.create(file=("a.jsonl", b"{}\n"), purpose="fine-tune")
    client.files.list(limit=2)
    client.files.retrieve(file.id)
    client.files.delete(file.id)
    opened = client.uploads.create(
        bytes=3, filename="a.jsonl", mime_type="text/jsonl", purpose="fine-tune"
    )
    client.uploads.parts.create(opened.id, data=b"{}\n")
    client.uploads.cancel(opened.id)
    jobs = client.fine_tuning.jobs
    jobs.retrieve(job.id)
    jobs.list(limit=2)
    jobs.list_events(job.id)
    checkpoint = jobs.checkpoints.list(job.id).data[0].fine_tuned_model_checkpoint
    given = client.fine_tuning.checkpoints.permissions
    for each in given.create(checkpoint, project_ids=["proj_all"]):
        assert list(permissions_of(client, checkpoint))
        given.delete(each.id, fine_tuned_model_checkpoint=checkpoint)
    client.models.list()
    client.models.retrieve(model)
    client.models.retrieve(job.fine_tuned_model)
    chats_of = client.chat.completions
    for more in ({}, {"stream": True}, {"store": True, "metadata": {"what": "all"}}):
        made: Any = chats_of.create(model=model, messages=SAID, **limited, **more)
    chats_of.list(limit=2)
    chats_of.retrieve(made.id)
    chats_of.update(made.id, metadata={"what": "changed"})
    chats_of.messages.list(made.id)
    chats_of.delete(made.id)
    for stream in (False, True):
        client.completions.create(model=model, prompt="a", stream=stream, **limited)
        client.responses.create(model=model, input="a", max_output_tokens=16, stream=stream)
    response = client.responses.create(
        model=model, input=SAID, instructions="be brief", max_output_tokens=16
    )
    client.responses.retrieve(response.id)
    client.responses.input_items.list(response.id)
    client.responses.delete(response.id)
    grade = client.fine_tuning.alpha.graders
    grade.validate(grader=EXACT)
    grade.run(grader=EXACT, model_sample="a", item={"label": "a"})
    line = (
        b'{"custom_id": "1", "method": "POST", "url": "/v1/embeddings", '
        b'"body": {"model": "none", "input": "a"}}\n'
    )
    lines = client.files.create(file=("b.jsonl", line), purpose="batch").id
    batch = client.batches.create(
        input_file_id=lines, endpoint="/v1/embeddings", completion_window="24h"
    )
    client.batches.retrieve(batch.id)
    client.batches.list(limit=2)
    if server.encoder is not None:
        client.embeddings.create(model=server.encoder, input="a")


@pytest.mark.slow
def test_01_and_10_answers_are_as_published_and_no_more(
    client: OpenAI, server: Server, done: Any, watch: Watch
) -> None:
    watch.schemas.clear()
    watch.extensions.clear()
    ask_of_everything(client, server, done)
    assert watch.problems == []
    wanted = {name for _, _, name in PATHS} | set(STREAMS.values())
    wanted -= {UNSAID, "DeleteModelResponse", "TokenCountsResource"}  # statement 56; newer clients
    if server.encoder is None:
        wanted.discard("CreateEmbeddingResponse")
    assert wanted - watch.schemas == set()
    names = {each.split(".")[0] for each in watch.extensions}
    assert len(names) <= (0 if server.is_own else 1), watch.extensions


def test_01_an_empty_list_is_as_published(client: OpenAI, file: str) -> None:
    nothing = {"what": "there is none of it"}
    oldest = list(client.files.list(order="desc"))[-1].id
    for page in (
        client.files.list(after=oldest),
        client.fine_tuning.jobs.list(metadata=nothing),
        client.chat.completions.list(metadata=nothing),
    ):
        assert (page.data, page.has_more) == ([], False)
    for batch in list(client.batches.list())[-1:]:
        assert client.batches.list(after=batch.id).data == []


def test_01_a_count_of_tokens_is_as_published(
    client: OpenAI, raw: Callable[..., httpx.Response], model: str, watch: Watch
) -> None:
    watch.look(raw("POST", "responses/input_tokens", json={"model": model, "input": "a"}))
    assert "TokenCountsResource" in watch.schemas


@pytest.mark.slow
def test_02_what_is_required_is_null_and_not_missing(
    raw: Callable[..., httpx.Response], done: Any
) -> None:
    body = raw("GET", f"fine_tuning/jobs/{done.id}").json()
    assert set(REQUIRED_NULLS) <= set(body)


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "nothing", b"", 404),
        ("PATCH", "files", b"", 405),
        ("POST", "fine_tuning/jobs", b"{", 400),
        ("POST", "fine_tuning/jobs", b"[]", 400),
        ("POST", "fine_tuning/jobs", b"{}", 400),
    ],
)
def test_03_every_failure_has_an_error_body(
    raw: Callable[..., httpx.Response], method: str, path: str, content: bytes, status: int
) -> None:
    answer = raw(method, path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_04_every_answer_has_a_request_id(client: OpenAI) -> None:
    assert client.models.list()._request_id
    with pytest.raises(openai.NotFoundError) as error:
        client.files.retrieve("file-none")
    assert error.value.request_id == error.value.response.headers["x-request-id"]


def test_05_a_wrong_key_and_none_are_refused(
    client: OpenAI, server: Server, raw: Callable[..., httpx.Response]
) -> None:
    answer = raw("GET", "models", headers={"authorization": ""})
    if answer.is_success and not server.is_own:
        pytest.skip("this server asks for no key")
    assert answer.status_code == 401
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    wrong = client.with_options(api_key="sk-no-such-key")
    calls: list[Callable[[], Any]] = [
        wrong.models.list,
        wrong.files.list,
        lambda: wrong.fine_tuning.jobs.create(model=server.model, training_file="file-none"),
        lambda: wrong.chat.completions.create(model=server.model, messages=SAID),
    ]
    for call in calls:
        with pytest.raises(openai.AuthenticationError) as error:
            call()
        assert error.value.code == "invalid_api_key"


def test_06_what_is_not_there_is_named(client: OpenAI) -> None:
    for call, name in (
        (client.files.retrieve, "file-none"),
        (client.fine_tuning.jobs.retrieve, "ftjob-none"),
        (client.models.retrieve, "no-such-model"),
    ):
        with pytest.raises(openai.NotFoundError, match=name):
            call(name)


@pytest.mark.slow
def test_07_a_conflict_arrives_once(client: OpenAI, done: Any, watch: Watch) -> None:
    before = len(watch.seen)
    again = client.with_options(max_retries=2)
    with pytest.raises(openai.APIStatusError):
        again.fine_tuning.jobs.cancel(done.id)
    assert len(watch.seen) - before == 1


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"hyperparameters": {"n_epochs": 0}}, "n_epochs"),
        ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}}}, "beta"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"seed": -1}, "seed"),
        ({"extra_body": {"no_such_field": 1}}, "no_such_field"),
    ],
)
def test_08_and_09_wrong_values_and_unknown_fields_are_named(
    client: OpenAI, model: str, file: str, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.fine_tuning.jobs.create(model=model, training_file=file, **more)
    assert str(error.value.param).endswith(param)


def test_10_extensions_have_one_name_and_need_not_be_known(
    client: OpenAI, model: str, own: bool
) -> None:
    file = upload(client, chats(10))
    plain = client.fine_tuning.jobs.create(model=model, training_file=file)
    asked: list[dict[str, Any]] = [{"metadata": {"what": "plain"}}]
    if own:
        asked += [
            {"extra_body": {EXTENSION: {"settings": {"train.threads": 1}}}},
            {"metadata": {f"{EXTENSION}:train.threads": "1"}},
        ]
    for more in asked:
        job = client.fine_tuning.jobs.create(model=model, training_file=file, **more)
        assert set(job.to_dict()) == set(plain.to_dict())
        client.fine_tuning.jobs.cancel(job.id)
    client.fine_tuning.jobs.cancel(plain.id)


def test_11_what_is_too_large_is_refused_and_the_server_lives(
    client: OpenAI, big_file: Path
) -> None:
    with pytest.raises(openai.APIStatusError) as error:
        client.files.create(file=big_file, purpose="fine-tune")
    assert error.value.status_code == 413
    assert error.value.body
    assert client.models.list().data
