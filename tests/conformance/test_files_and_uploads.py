"""Statements 12 to 20: files and uploads."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import openai
import pytest
from openai import OpenAI

from followed import Again
from tiny_chats import chats
from worked import upload

LINES = b'{"messages": []}\n{"messages": [1]}\n'


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


@pytest.mark.slow
def test_17_a_job_that_ended_needs_its_file_no_more(
    client: OpenAI, model: str, again: Again
) -> None:
    jobs, file = client.fine_tuning.jobs, upload(client, chats(10))
    cancelled = jobs.cancel(jobs.create(model=model, training_file=file).id)
    for each in (file, again.file):
        assert client.files.delete(each).deleted
    time.sleep(2)
    assert jobs.retrieve(cancelled.id).status == "cancelled"
    assert jobs.retrieve(again.job.id).status == "succeeded"


def test_18_a_file_can_have_an_end(client: OpenAI) -> None:
    after: Any = {"anchor": "created_at", "seconds": 3600}
    made = client.files.create(file=("a.jsonl", LINES), purpose="fine-tune", expires_after=after)
    assert made.expires_at == made.created_at + 3600
    client.files.delete(made.id)


def parts(client: OpenAI, *data: bytes) -> tuple[Any, list[str]]:
    """An upload of these parts, and their ids."""
    opened = client.uploads.create(
        bytes=sum(map(len, data)), filename="a.jsonl", mime_type="text/jsonl", purpose="fine-tune"
    )
    return opened, [client.uploads.parts.create(opened.id, data=each).id for each in data]


def test_19_and_20_parts_make_one_file(client: OpenAI) -> None:
    source = "".join(json.dumps({"n": n}) + "\n" for n in range(300)).encode()
    done = client.uploads.upload_file_chunked(
        file=source,  # a path is left open by a client of 1.x
        filename="big.jsonl",
        bytes=len(source),
        mime_type="text/jsonl",
        purpose="fine-tune",
        part_size=len(source) // 3 + 1,
    )
    assert done.file is not None
    assert client.files.content(done.file.id).content == source
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(done.id, data=b"x")


def test_19_parts_follow_their_ids(client: OpenAI) -> None:
    lines = [b'{"n": 1}\n', b'{"n": 2}\n', b'{"n": 3}\n']
    opened, ids = parts(client, *lines)
    done = client.uploads.complete(
        opened.id, part_ids=ids[::-1], md5=hashlib.md5(b"".join(lines[::-1])).hexdigest()
    )
    assert done.file is not None
    assert client.files.content(done.file.id).content == b"".join(lines[::-1])


def test_20_what_is_not_as_announced_is_refused(client: OpenAI) -> None:
    opened, ids = parts(client, b"{}\n", b"{}\n")
    with pytest.raises(openai.BadRequestError):
        client.uploads.complete(opened.id, part_ids=ids[:1])
    with pytest.raises(openai.BadRequestError):
        client.uploads.complete(opened.id, part_ids=ids, md5="0" * 32)
    assert client.uploads.cancel(opened.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(opened.id, data=b"{}\n")
