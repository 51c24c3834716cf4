"""Statements 1 to 20: the wire, errors, files and uploads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

LINES = b'{"messages": []}\n{"messages": [1]}\n'
REQUIRED_NULLS = (
    *("error", "finished_at", "fine_tuned_model", "trained_tokens", "validation_file"),
    *("organization_id", "result_files", "seed", "hyperparameters"),
)


def raw(client: OpenAI, method: str, path: str, **more: Any) -> httpx.Response:
    head = {"authorization": f"Bearer {client.api_key}"} | more.pop("headers", {})
    return httpx.request(method, f"{client.base_url}{path}", headers=head, timeout=60, **more)


@pytest.mark.slow
def test_02_what_is_required_is_null_and_not_missing(client: OpenAI, done: Any) -> None:
    body = raw(client, "GET", f"fine_tuning/jobs/{done.id}").json()
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
    client: OpenAI, method: str, path: str, content: bytes, status: int
) -> None:
    answer = raw(
        client, method, path, content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_04_every_answer_has_a_request_id(client: OpenAI) -> None:
    assert client.models.list()._request_id
    with pytest.raises(openai.NotFoundError) as error:
        client.files.retrieve("file-none")
    assert error.value.request_id == error.value.response.headers["x-request-id"]


def test_06_what_is_not_there_is_named(client: OpenAI) -> None:
    for call, name in (
        (client.files.retrieve, "file-none"),
        (client.fine_tuning.jobs.retrieve, "ftjob-none"),
        (client.models.retrieve, "no-such-model"),
    ):
        with pytest.raises(openai.NotFoundError, match=name):
            call(name)


@pytest.mark.slow
def test_07_a_conflict_arrives_once(client: OpenAI, done: Any) -> None:
    seen: list[httpx.Response] = []
    with httpx.Client(event_hooks={"response": [seen.append]}) as http:
        again = client.with_options(http_client=http, max_retries=2)
        with pytest.raises(openai.APIStatusError):
            again.fine_tuning.jobs.cancel(done.id)
    assert len(seen) == 1


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


def test_12_a_file_comes_back_as_it_went(client: OpenAI) -> None:
    made = client.files.create(file=("a b.jsonl", LINES), purpose="fine-tune")
    assert (made.bytes, made.filename, made.purpose) == (len(LINES), "a b.jsonl", "fine-tune")
    assert client.files.content(made.id).content == LINES
    client.files.delete(made.id)


def test_13_a_bad_line_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Line 2"):
        client.files.create(file=("a.jsonl", b'{"a": 1}\n{"a"\n'), purpose="fine-tune")


def test_14_a_file_is_ready_at_last(client: OpenAI, file: str) -> None:
    assert client.files.wait_for_processing(file, poll_interval=0.1).status == "processed"


def test_15_lists_give_each_file_once(client: OpenAI) -> None:
    made = [client.files.create(file=("a.jsonl", LINES), purpose="fine-tune").id for _ in range(3)]
    listed = [each.id for each in client.files.list(purpose="fine-tune", limit=1)]
    assert [each for each in listed if each in made] == made[::-1]
    assert len(set(listed)) == len(listed)
    first = client.files.list(order="asc", after=made[0], limit=1).data[0].id
    assert first == made[1]
    for each in made:
        client.files.delete(each)


def test_16_what_is_deleted_is_gone(client: OpenAI) -> None:
    made = client.files.create(file=("a.jsonl", LINES), purpose="fine-tune").id
    assert client.files.delete(made).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made)


def test_18_a_file_can_have_an_end(client: OpenAI) -> None:
    after: Any = {"anchor": "created_at", "seconds": 3600}
    made = client.files.create(file=("a.jsonl", LINES), purpose="fine-tune", expires_after=after)
    assert made.expires_at == made.created_at + 3600
    client.files.delete(made.id)


def test_19_and_20_parts_make_one_file(client: OpenAI, tmp_path: Path) -> None:
    source = tmp_path / "big.jsonl"
    source.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(300)))
    upload = client.uploads.upload_file_chunked(
        file=source, mime_type="text/jsonl", purpose="fine-tune", part_size=1500
    )
    assert upload.file is not None
    assert client.files.content(upload.file.id).content == source.read_bytes()
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(upload.id, data=b"x")
    other = client.uploads.create(
        bytes=4, filename="a.jsonl", mime_type="text/jsonl", purpose="fine-tune"
    )
    part = client.uploads.parts.create(other.id, data=b"{}\n")
    with pytest.raises(openai.BadRequestError):
        client.uploads.complete(other.id, part_ids=[part.id])
    assert client.uploads.cancel(other.id).status == "cancelled"
