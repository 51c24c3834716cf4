"""What an attacker with a key may send: each was found to break something, or could have."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from openai import OpenAI

from served import served, settings_in
from tunewright.serve.answers import ApiError
from tunewright.serve.batches.batch_lines import read_places
from tunewright.serve.engine import shelf
from tunewright.serve.engine.engine import Engine
from tunewright.serve.files import file_rules
from tunewright.serve.routes import completions, uploads
from tunewright.serve.routes import jobs as routes_of_jobs
from tunewright.serve.store import Store
from tunewright.serve.tables import jobs

FORM = "multipart/form-data; boundary="
PATIENCE_S = 1.0


def post(client: OpenAI, path: str, body: bytes | dict[str, Any], **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"content-type": "application/json"}
    return httpx.post(f"{client.base_url}{path}", content=content, headers=kind | headers)


def refused(answer: httpx.Response, param: str | None) -> str:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == param
    return str(error["message"])


def test_a_number_too_large_for_a_float_is_refused(client: OpenAI) -> None:
    numbers = b'{"learning_rate_multiplier": %s}' % (b"9" * 4000)
    body = b'{"model": "minilm", "training_file": "x", "hyperparameters": %s}' % numbers
    answer = post(client, "fine_tuning/jobs", body)
    assert "number above 0" in refused(answer, "hyperparameters.learning_rate_multiplier")


def test_a_value_of_another_type_is_refused(client: OpenAI) -> None:
    asked = {"model": "m", "messages": [], "max_tokens": "5"}
    assert "max_tokens" in refused(post(client, "chat/completions", asked), "max_tokens")
    begun = {"bytes": "9", "filename": "a.jsonl", "mime_type": "x", "purpose": "fine-tune"}
    assert "bytes" in refused(post(client, "uploads", begun), "bytes")


@pytest.mark.parametrize("path", ["fine_tuning/jobs", "chat/completions"])
@pytest.mark.parametrize("key", ["a" * 65, "a\x00"])
def test_metadata_that_cannot_be_there_is_refused(client: OpenAI, path: str, key: str) -> None:
    name = f"metadata[{key}]"
    answer = httpx.get(f"{client.base_url}{path}", params={name: "1"})
    assert refused(answer, name if "\0" in key else "metadata")


@pytest.mark.parametrize("path", ["fine_tuning/jobs", "chat/completions"])
@pytest.mark.parametrize("key", ["", "a\\", '"', 'a"b', "]", "$.a", "a\x01", "'"])
def test_metadata_of_any_letters_can_be_asked_for(client: OpenAI, path: str, key: str) -> None:
    answer = httpx.get(f"{client.base_url}{path}", params={f"metadata[{key}]": "1"})
    assert (answer.status_code, answer.json()["data"]) == (200, [])


def test_a_query_names_only_what_the_route_knows_and_once(client: OpenAI) -> None:
    for query, param in (("colour=red", "colour"), ("limit=1&limit=2", "limit")):
        answer = httpx.get(f"{client.base_url}chat/completions?{query}")
        assert param in refused(answer, param)
    assert httpx.get(f"{client.base_url}files?after=%00").status_code == 400
    assert httpx.get(f"{client.base_url}files/a%00b").status_code == 404


@pytest.mark.parametrize("boundary", ["", "b" * 5000, "\xff", '"b"; boundary=c'])
def test_a_boundary_that_is_none_is_refused(client: OpenAI, boundary: str) -> None:
    kind = (FORM + boundary).encode("latin-1")
    answer = httpx.post(f"{client.base_url}files", content=b"--b", headers={b"content-type": kind})
    assert refused(answer, None)


@pytest.mark.parametrize(
    "name", ["../a.jsonl", "a\\..\\b.jsonl", "..", "a\x01.jsonl", "a\x7f.jsonl"]
)
def test_a_name_that_leads_out_of_its_folder_is_refused(client: OpenAI, name: str) -> None:
    begun = {"bytes": 9, "filename": name, "mime_type": "x", "purpose": "fine-tune"}
    assert "'..'" in refused(post(client, "uploads", begun), "filename")


def test_an_upload_keeps_no_more_than_its_parts_may_be(
    client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_PART_BYTES", 10)
    monkeypatch.setattr(uploads, "MOST_PARTS", 4)

    def begun(num_bytes: int) -> str:
        return client.uploads.create(
            bytes=num_bytes, filename="a.jsonl", mime_type="x", purpose="fine-tune"
        ).id

    small, many = begun(5), begun(1000)
    for _ in range(2):
        client.uploads.parts.create(small, data=b"x" * 10)
    for _ in range(4):
        client.uploads.parts.create(many, data=b"")
    for upload in (small, many):
        with pytest.raises(openai.BadRequestError, match="were announced"):
            client.uploads.parts.create(upload, data=b"x")
    with pytest.raises(openai.BadRequestError, match="colour"):
        client.uploads.parts.create(small, data=b"x", extra_body={"colour": "red"})


def test_a_line_without_end_is_not_read_into_memory(
    client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_rules, "LONGEST_LINE_BYTES", 1000)
    content = b'{"a": 1}\n{"a": "' + b"x" * 5000 + b'"}\n'
    with pytest.raises(openai.BadRequestError, match="Line 2 is longer than 1,000"):
        client.files.create(file=("a.jsonl", content), purpose="batch")


def test_a_line_that_is_no_json_says_where_in_it(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"Line 2 is not valid JSON: .* at its byte 6"):
        client.files.create(file=("a.jsonl", b'{"a": 1}\n{"a" 1}\n'), purpose="fine-tune")


@pytest.mark.parametrize("text", ["\\ud800", "a\\u0000"])
def test_text_that_cannot_be_kept_is_refused_with_its_line(client: OpenAI, text: str) -> None:
    content = b'{"a": 1}\n{"a": "%s"}\n' % text.encode()
    with pytest.raises(openai.BadRequestError, match="Line 2 is not valid JSON"):
        client.files.create(file=("a.jsonl", content), purpose="fine-tune")


def test_a_line_of_a_batch_that_says_two_things_is_none(tmp_path: Path) -> None:
    line = '{"custom_id": "%s", "method": "POST", "url": "/v1/embeddings", "body": {"input": %s}}\n'
    path = tmp_path / "batch.jsonl"
    path.write_text(line % ("\\ud800", "1") + line % ("b", "NaN") + line % ("c", "1"))
    _, problems = read_places(path, "/v1/embeddings")
    assert [(each["code"], each["line"]) for each in problems] == [
        ("invalid_json_line", 1),
        ("invalid_json_line", 2),
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call_output", "call_id": "c", "output": 5},
        {"type": "function_call_output", "call_id": "c", "output": {"a": 1}},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": 5}]},
        {"type": "message", "role": "user", "content": "a", "id": {}},
    ],
)
def test_items_that_are_no_text_are_refused(client: OpenAI, item: dict[str, Any]) -> None:
    answer = post(client, "responses", {"model": "m", "input": [item]})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("input[0].")


def test_one_request_does_not_ask_for_texts_without_number(client: OpenAI) -> None:
    prompts = ["a"] * (completions.MOST_TEXTS // 128 + 1)
    answer = post(client, "completions", {"model": "smollm2", "prompt": prompts, "n": 128})
    assert "texts" in refused(answer, "n")


def test_a_part_of_a_file_is_not_given(client: OpenAI) -> None:
    made = client.files.create(file=("a.bin", b"0123456789"), purpose="user_data")
    for asked in ("bytes=0-1", "bytes=99-", "bytes=" + "0-0," * 500, "nonsense"):
        url = f"{client.base_url}files/{made.id}/content"
        answer = httpx.get(url, headers={"range": asked})
        assert (answer.status_code, answer.content) == (200, b"0123456789")


def test_a_name_does_not_become_a_header(client: OpenAI) -> None:
    odd = 'a"; filename=b.html; \N{SNOWMAN}.jsonl'
    upload = client.uploads.create(bytes=2, filename=odd, mime_type="x", purpose="fine-tune")
    part = client.uploads.parts.create(upload.id, data=b"{}")
    file = client.uploads.complete(upload.id, part_ids=[part.id]).file
    assert file is not None
    headers = client.files.content(file.id).response.headers
    assert file.filename == odd
    assert headers["content-disposition"].startswith("attachment; filename*=utf-8''a%22%3B%20")
    assert headers["x-content-type-options"] == "nosniff"


def test_who_waits_for_a_pause_keeps_nobody_else_waiting(
    client: OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_of_jobs, "PAUSE_WAIT_S", 6)
    lines = b"".join(b'{"messages": []}\n' for _ in range(10))
    file = client.files.create(file=("a.jsonl", lines), purpose="fine-tune").id
    job = client.fine_tuning.jobs.create(model="smollm2", training_file=file).id
    store = Store(settings_in(tmp_path).database_url)
    store.change(jobs, job, status="running")
    store.close()
    pausing = [
        threading.Thread(target=lambda: client.fine_tuning.jobs.pause(job)) for _ in range(50)
    ]
    for thread in pausing:
        thread.start()
    time.sleep(1)
    began = time.monotonic()
    assert client.files.retrieve(file).id == file
    took_s = time.monotonic() - began
    assert any(thread.is_alive() for thread in pausing)
    for thread in pausing:
        thread.join()
    assert took_s < 4


def connected(client: OpenAI, sent: bytes) -> socket.socket:
    parts = urlsplit(str(client.base_url))
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    connection.sendall(sent)
    return connection


def heard(connection: socket.socket) -> tuple[bytes, float]:
    """All that comes until the other end closes, and how many seconds that took."""
    began, found = time.monotonic(), b""
    with connection:
        while piece := connection.recv(65536):
            found += piece
    return found, time.monotonic() - began


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ", b"POST /health HTTP/1.1\r\n"],
)
def test_a_head_that_does_not_end_ends_its_connection(tmp_path: Path, sent: bytes) -> None:
    with served(settings_in(tmp_path, patience_s=PATIENCE_S)) as client:
        found, took_s = heard(connected(client, sent))
    assert found == b""
    assert PATIENCE_S / 2 < took_s < 20


def test_a_body_that_drips_is_refused_in_time(tmp_path: Path) -> None:
    with served(settings_in(tmp_path, patience_s=PATIENCE_S)) as client:
        head = b"POST /v1/batches HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        connection = connected(client, head + b"content-length: 1000\r\n\r\n")
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        found = b""
        while b"request_timeout" not in found and (piece := connection.recv(65536)):
            found += piece
        over.set()
        thread.join()
        connection.close()
    assert b" 408 " in found.split(b"\r\n")[0]
    assert b"request_timeout" in found


def test_a_refused_client_that_never_sends_its_body_is_let_go(tmp_path: Path) -> None:
    with served(settings_in(tmp_path, require_keys=True)) as client:
        head = b"POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n"
        found, took_s = heard(connected(client, head))
    assert b" 401 " in found.split(b"\r\n")[0]
    assert took_s < 15


def test_who_goes_away_while_a_model_fails_leaves_the_engine_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shelf, "fp32_bytes", lambda folder: 0)
    engine = Engine(model_bytes=1, cache_bytes=1, most_texts=1)
    begun, goes_on = threading.Event(), threading.Event()
    works = [_Slow(begun, goes_on), _Quick()]
    try:
        for work in works:
            engine._inbox.put(work)  # type: ignore[arg-type]
        assert begun.wait(10)
        works[0].result.cancel()
        goes_on.set()
        with pytest.raises(ApiError, match="no model"):
            works[1].result.result(timeout=10)
    finally:
        engine.close()


class _Quick:
    """Work that fails while its model is opened."""

    kind, folder, do = "writes", Path("none"), None

    def __init__(self) -> None:
        from concurrent.futures import Future

        self.result: Any = Future()

    def make(self, folder: Path) -> Any:
        raise ApiError(404, "no model")


class _Slow(_Quick):
    """The same, and meanwhile who asked goes away."""

    def __init__(self, begun: threading.Event, goes_on: threading.Event) -> None:
        super().__init__()
        self._begun, self._goes_on = begun, goes_on

    def make(self, folder: Path) -> Any:
        self._begun.set()
        self._goes_on.wait(10)
        raise ApiError(500, "too late")
