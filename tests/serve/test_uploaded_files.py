"""Files through the official client: they come back as they went, or are refused with the line."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI
from sqlalchemy import update

from served import served, settings_in
from tunewright.serve.settings import MIB
from tunewright.serve.store import Store
from tunewright.serve.tables import files, uploads

LINES = b'{"messages": []}\n{"messages": [1]}\n'


def test_a_file_comes_back_byte_for_byte(client: OpenAI) -> None:
    made = client.files.create(file=("chats.jsonl", LINES), purpose="fine-tune")
    assert (made.bytes, made.filename, made.purpose) == (len(LINES), "chats.jsonl", "fine-tune")
    assert client.files.content(made.id).content == LINES
    assert client.files.retrieve(made.id) == made
    assert client.files.wait_for_processing(made.id).status == "processed"


def test_a_name_with_folders_loses_them(client: OpenAI) -> None:
    made = client.files.create(file=("data/chats/a.jsonl", LINES), purpose="fine-tune")
    assert made.filename == "a.jsonl"
    assert client.files.content(made.id).content == LINES
    with pytest.raises(openai.BadRequestError, match=r"no '\.\.'"):
        client.files.create(file=("../../etc/a.jsonl", LINES), purpose="fine-tune")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"a": 1}\n{"a": \n', "Line 2"),
        (b'{"a": 1}\n[1]\n', "Line 2 is not a dictionary"),
        (b'\xff\xfe{"a"', "Line 1 is not UTF-8"),
        (b"a,b\n1,2\n", "Line 1"),
        (b"[" * 5000, "Line 1"),
        (b"\n\n", "no lines"),
        (b"", "no lines"),
    ],
)
def test_what_is_not_jsonl_is_refused_with_its_line(
    client: OpenAI, content: bytes, line: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=line) as error:
        client.files.create(file=("a.jsonl", content), purpose="fine-tune")
    assert (error.value.param, error.value.code) == ("file", "invalid_file_format")
    assert list(client.files.list()) == []


def test_what_a_file_may_not_be_is_refused_with_the_field(client: OpenAI) -> None:
    def refused(**more: object) -> str | None:
        with pytest.raises(openai.BadRequestError) as error:
            client.files.create(**{"file": ("a.jsonl", LINES), "purpose": "fine-tune"} | more)  # type: ignore[call-overload]
        return error.value.param

    assert refused(purpose="evil") == "purpose"
    assert refused(file=("a.csv", LINES)) == "file"
    assert refused(expires_after={"anchor": "created_at", "seconds": 1}) == "expires_after.seconds"
    assert refused(expires_after={"anchor": "now", "seconds": 3600}) == "expires_after.anchor"
    assert refused(extra_body={"colour": "red"}) == "colour"


def test_lists_page_through_every_file_once(client: OpenAI) -> None:
    made = [client.files.create(file=(f"{n}.jsonl", LINES), purpose="evals").id for n in range(5)]
    client.files.create(file=("other.bin", b"\x00\x01"), purpose="user_data")
    assert [f.id for f in client.files.list(purpose="evals", limit=2)] == made[::-1]
    assert [f.id for f in client.files.list(purpose="evals", limit=2, order="asc")] == made
    assert [f.id for f in client.files.list(purpose="evals", after=made[2])] == made[1::-1]
    with pytest.raises(openai.BadRequestError, match="colour"):
        client.files.list(extra_query={"colour": "red"})


def test_a_deleted_file_is_gone(client: OpenAI, tmp_path: Path) -> None:
    made = client.files.create(file=("a.jsonl", LINES), purpose="fine-tune")
    assert client.files.delete(made.id).deleted
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError, match=made.id):
            call(made.id)
    assert list((tmp_path / "served" / "files").iterdir()) == []


def test_a_file_whose_time_is_over_is_gone(client: OpenAI, tmp_path: Path) -> None:
    made = client.files.create(
        file=("a.jsonl", LINES),
        purpose="fine-tune",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert made.expires_at == made.created_at + 3600
    store = Store(settings_in(tmp_path).database_url)
    with store.writing() as connection:
        connection.execute(update(files).values(expires_at=int(time.time()) - 1))
    store.close()
    assert list(client.files.list()) == []
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_too_large_a_file_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    with served(settings_in(tmp_path, max_file_mib=1, max_body_mib=1)) as client:
        for size in (1 << 20, 6 << 20):  # within and beyond what is read at all
            content = b'{"a": 1}\n' * (size // 9 + 1)
            with pytest.raises(openai.APIStatusError) as error:
                client.files.create(file=("a.jsonl", content), purpose="fine-tune")
            assert (error.value.status_code, error.value.code) == (413, "file_too_large")
        streamed = httpx.post(
            f"{client.base_url}fine_tuning/jobs", content=(b"x" * 65536 for _ in range(40))
        )
        assert streamed.status_code in (404, 413)
        assert list(client.files.list()) == []
        assert list((tmp_path / "served" / "files").iterdir()) == []


def test_a_broken_multipart_body_is_refused(client: OpenAI, tmp_path: Path) -> None:
    url = f"{client.base_url}files"
    whole = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n'
    head = {"content-type": "multipart/form-data; boundary=b"}
    for content in (whole, b"nonsense", b"", whole + whole + b"--b--\r\n", b"--b--\r\n"):
        answer = httpx.post(url, content=content, headers=head)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["message"]
    assert httpx.post(url, json={}).status_code == 400
    assert list((tmp_path / "served" / "files").iterdir()) == []


def test_a_file_in_parts_equals_its_source(client: OpenAI, tmp_path: Path) -> None:
    source = tmp_path / "big.jsonl"
    source.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(2000)))
    upload = client.uploads.upload_file_chunked(
        file=source, mime_type="text/jsonl", purpose="fine-tune", part_size=9000
    )
    assert upload.status == "completed"
    assert upload.file is not None
    assert client.files.content(upload.file.id).content == source.read_bytes()
    kept = [path.name for path in (tmp_path / "served" / "files").iterdir()]
    assert kept == [f"{upload.file.id}.jsonl"]


def begun(client: OpenAI, num_bytes: int = 20) -> str:
    return client.uploads.create(
        bytes=num_bytes, filename="a.jsonl", mime_type="text/jsonl", purpose="fine-tune"
    ).id


def test_parts_follow_the_order_that_is_given(client: OpenAI) -> None:
    upload = begun(client)
    second = client.uploads.parts.create(upload, data=b'{"b": 123}')
    first = client.uploads.parts.create(upload, data=b'{"a": 12}\n')
    done = client.uploads.complete(upload, part_ids=[first.id, second.id])
    assert done.file is not None
    assert client.files.content(done.file.id).content == b'{"a": 12}\n{"b": 123}'


def test_a_wrong_size_or_checksum_leaves_the_upload_open(client: OpenAI) -> None:
    upload = begun(client)
    part = client.uploads.parts.create(upload, data=b'{"a": 12}\n')
    other = client.uploads.parts.create(upload, data=b'{"b": 12}\n')
    both = [part.id, other.id]
    for wrong, param in (([part.id], "part_ids"), ([part.id, "part_x"], "part_ids[1]")):
        with pytest.raises(openai.BadRequestError) as error:
            client.uploads.complete(upload, part_ids=wrong)
        assert error.value.param == param
    with pytest.raises(openai.BadRequestError) as error:
        client.uploads.complete(upload, part_ids=both, md5="0" * 32)
    assert error.value.param == "md5"
    assert client.uploads.complete(upload, part_ids=both).status == "completed"


def test_a_closed_upload_takes_nothing_more(client: OpenAI, tmp_path: Path) -> None:
    upload = begun(client)
    client.uploads.parts.create(upload, data=b"1")
    assert client.uploads.cancel(upload).status == "cancelled"
    for call in (
        lambda: client.uploads.parts.create(upload, data=b"1"),
        lambda: client.uploads.complete(upload, part_ids=["part_1"]),
        lambda: client.uploads.cancel(upload),
    ):
        with pytest.raises(openai.BadRequestError, match="cancelled"):
            call()
    assert list((tmp_path / "served" / "files").iterdir()) == []


def test_too_large_an_upload_is_refused(tmp_path: Path) -> None:
    with served(settings_in(tmp_path, max_upload_mib=2)) as client:
        begun(client, 2 * MIB)
        with pytest.raises(openai.BadRequestError, match="At most 2 MiB") as error:
            begun(client, 2 * MIB + 1)
    assert error.value.param == "bytes"


def test_what_nobody_needs_is_swept_when_a_server_starts(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    folder = settings.files_folder
    with served(settings) as client:
        upload = begun(client)
        client.uploads.parts.create(upload, data=b"1")
        gone = client.files.create(file=("a.jsonl", LINES), purpose="fine-tune").id
        kept = client.files.create(file=("a.jsonl", LINES), purpose="fine-tune").id
    store = Store(settings.database_url)
    store.change(uploads, upload, expires_at=1)
    store.change(files, gone, expires_at=1)
    store.close()
    (folder / ".0123.part").write_bytes(b"of a killed server")
    for path in folder.glob("*.part"):
        os.utime(path, (1, 1))
    with served(settings) as client:
        assert [file.id for file in client.files.list()] == [kept]
        assert [path.name for path in folder.iterdir()] == [f"{kept}.jsonl"]
        with pytest.raises(openai.BadRequestError, match="expired"):
            client.uploads.cancel(upload)
    assert settings.folder.stat().st_mode & 0o077 == 0
