"""Batches through the official client: each request is answered once, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from sqlalchemy import select, update

from echoing import CHAT, EMBEDDINGS, Echo, with_echo
from served import KEY, listening, settings_in
from tunewright.serve.batches import batch_lines, batch_work
from tunewright.serve.batches.batch_answers import BatchAnswers
from tunewright.serve.door.inside import Answered
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store
from tunewright.serve.tables import objects

ENDED = ("completed", "failed", "expired", "cancelled")


def line(number: int, *, model: str = "echo", url: str = CHAT, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"text {number}"}]}
    return {"custom_id": f"request-{number}", "method": "POST", "url": url, "body": body} | more


def upload(client: OpenAI, lines: Sequence[Any], purpose: Any = "batch") -> str:
    data = "".join(json.dumps(each) + "\n" for each in lines).encode()
    return client.files.create(file=("lines.jsonl", data), purpose=purpose).id


def begin(client: OpenAI, lines: Sequence[Any], **more: Any) -> Any:
    asked: dict[str, Any] = {"endpoint": CHAT, "completion_window": "24h"} | more
    return client.batches.create(input_file_id=upload(client, lines), **asked)


def ended(client: OpenAI, batch: Any, *, seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = client.batches.retrieve(batch.id)
        if found.status in ENDED:
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {found.status}")


def answers(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


@contextmanager
def echoing(settings: ServeSettings, echo: Echo) -> Iterator[OpenAI]:
    with (
        listening(with_echo(settings, echo)) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def echo_client(tmp_path: Path, echo: Echo) -> Iterator[OpenAI]:
    with echoing(settings_in(tmp_path), echo) as client:
        yield client


def test_of_twenty_requests_with_two_bad_ones_eighteen_are_answered(echo_client: OpenAI) -> None:
    lines = [line(number, model="other" if number in (3, 7) else "echo") for number in range(20)]
    made = begin(echo_client, lines, metadata={"kind": "test"})
    assert (made.status, made.object, made.endpoint) == ("validating", "batch", CHAT)
    assert made.id.startswith("batch_")
    assert made.expires_at - made.created_at == 24 * 3600
    batch = ended(echo_client, made)
    assert batch.status == "completed"
    assert batch.request_counts.model_dump() == {"total": 20, "completed": 18, "failed": 2}
    assert batch.metadata == {"kind": "test"}
    times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert times == sorted(times)
    good, bad = (
        answers(echo_client, file_id) for file_id in (batch.output_file_id, batch.error_file_id)
    )
    assert {each["custom_id"]: _text(each) for each in good} == {
        f"request-{number}": f"text {number}" for number in range(20) if number not in (3, 7)
    }
    assert {each["custom_id"] for each in bad} == {"request-3", "request-7"}
    assert all(each["response"]["status_code"] == 404 for each in bad)
    assert all(each["response"]["body"]["error"]["code"] == "model_not_found" for each in bad)
    every = good + bad
    assert len({each["id"] for each in every}) == 20
    assert all(each["id"].startswith("batch_req_") and each["error"] is None for each in every)
    assert all(each["response"]["request_id"].startswith("req_") for each in every)
    assert batch.usage.model_dump() == {
        "input_tokens": 90,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 36,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 126,
    }
    file = echo_client.files.retrieve(batch.output_file_id)
    assert (file.purpose, file.filename) == ("batch_output", f"{batch.id}_output.jsonl")


def _text(answer: dict[str, Any]) -> str:
    text: str = answer["response"]["body"]["choices"][0]["message"]["content"]
    return text


def test_a_batch_of_one_model_names_it_and_has_no_file_of_errors(echo_client: OpenAI) -> None:
    batch = ended(echo_client, begin(echo_client, [line(1)]))
    assert (batch.model, batch.error_file_id, batch.errors) == ("echo", None, None)


def test_embeddings_come_in_batches_too(echo_client: OpenAI) -> None:
    asked = line(1, url=EMBEDDINGS, body={"model": "any", "input": "abc"})
    batch = ended(echo_client, begin(echo_client, [asked], endpoint=EMBEDDINGS))
    (answer,) = answers(echo_client, batch.output_file_id)
    assert answer["response"]["body"]["data"][0]["embedding"] == [3.0, 1.0]
    assert batch.usage.total_tokens == 1


def test_a_request_that_breaks_the_server_is_an_error_of_its_own(
    echo_client: OpenAI, echo: Echo
) -> None:
    broken = line(1, body={"model": "echo"})
    batch = ended(echo_client, begin(echo_client, [broken, line(2)]))
    assert batch.request_counts.model_dump() == {"total": 2, "completed": 1, "failed": 1}
    (bad,) = answers(echo_client, batch.error_file_id)
    assert bad["response"]["status_code"] == 500


def test_all_that_is_wrong_with_the_lines_is_told_with_its_line(
    echo_client: OpenAI, echo: Echo
) -> None:
    lines = [
        line(1),
        line(1),
        line(2, method="GET"),
        line(3, url="/v1/embeddings"),
        line(4, body=[]),
        line(5, colour="red"),
        line(6, custom_id=7),
        {"custom_id": "x", "method": "POST"},
        line(8, body={"model": "echo", "stream": True}),
        line(9, method="PUT", url="/"),
    ]
    batch = ended(echo_client, begin(echo_client, lines))
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.failed_at is not None
    told = [(each.line, each.code, each.param) for each in batch.errors.data]
    assert told == [
        (2, "duplicate_custom_id", "custom_id"),
        (3, "invalid_method", "method"),
        (4, "invalid_url", "url"),
        (5, "invalid_body", "body"),
        (6, "unknown_parameter", "colour"),
        (7, "invalid_custom_id", "custom_id"),
        (8, "missing_required_parameter", "url"),
        (8, "missing_required_parameter", "body"),
        (9, "invalid_body", "body.stream"),
        (10, "invalid_method", "method"),
        (10, "invalid_url", "url"),
    ]
    assert "line 1" in batch.errors.data[0].message
    assert echo.asked == []


def test_lines_are_read_from_any_writer(tmp_path: Path) -> None:
    text = "\ufeff" + json.dumps(line(1)) + "\r\n\r\n" + json.dumps(line(2), ensure_ascii=False)
    path = tmp_path / "lines.jsonl"
    path.write_bytes(text.encode())
    places, problems = batch_lines.read_places(path, CHAT)
    assert problems == []
    with path.open("rb") as file:
        bodies = [batch_lines.read_body(file, place) for place in places]
    assert bodies == [line(1)["body"], line(2)["body"]]


def test_there_is_an_end_to_requests_and_to_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_lines, "MOST_REQUESTS", 3)
    monkeypatch.setattr(batch_lines, "MOST_TOLD", 2)
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(line(number)) + "\n" for number in range(9)))
    places, problems = batch_lines.read_places(path, CHAT)
    assert len(places) == 3
    assert [(each["code"], each["line"]) for each in problems] == [("too_many_requests", 4)]
    path.write_text("[]\n" * 5)
    _, problems = batch_lines.read_places(path, CHAT)
    assert [each["code"] for each in problems] == ["invalid_json_line"] * 2 + ["more_problems"]
    path.write_text("\n")
    assert batch_lines.read_places(path, CHAT)[1][0]["code"] == "empty_file"


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"endpoint": "/v1/images/generations"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata.k"),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            "output_expires_after.seconds",
        ),
        ({"extra_body": {"colour": 1}}, "colour"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused_with_the_field(
    echo_client: OpenAI, changed: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        begin(echo_client, [line(1)], **changed)
    assert refused.value.param == param


def test_a_file_that_is_not_there_or_for_something_else_is_refused(echo_client: OpenAI) -> None:
    asked: dict[str, Any] = {"endpoint": CHAT, "completion_window": "24h"}
    with pytest.raises(openai.NotFoundError, match="file-none") as refused:
        echo_client.batches.create(input_file_id="file-none", **asked)
    assert refused.value.param == "input_file_id"
    other = upload(echo_client, [line(1)], purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match="fine-tune"):
        echo_client.batches.create(input_file_id=other, **asked)
    with pytest.raises(openai.NotFoundError, match="batch_none"):
        echo_client.batches.retrieve("batch_none")
    with pytest.raises(openai.NotFoundError, match="batch_none"):
        echo_client.batches.cancel("batch_none")


def test_batches_are_listed_newest_first_page_by_page(echo_client: OpenAI) -> None:
    made = [begin(echo_client, [line(1)]).id for _ in range(5)]
    assert [each.id for each in echo_client.batches.list(limit=2)] == made[::-1]
    first = echo_client.batches.list(limit=2)
    assert (first.has_more, [each.id for each in first.data]) == (True, made[:2:-1])
    for batch_id in made:
        ended(echo_client, echo_client.batches.retrieve(batch_id))


def test_a_cancelled_batch_keeps_what_was_answered(
    echo_client: OpenAI, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_work, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(batch_work, "LOOK_S", 0.05)
    echo.delay_s = 0.02
    batch = begin(echo_client, [line(number) for number in range(500)])
    while echo_client.batches.retrieve(batch.id).request_counts.completed < 3:
        time.sleep(0.02)
    cancelling = echo_client.batches.cancel(batch.id)
    assert cancelling.status == "cancelling"
    assert cancelling.cancelling_at is not None
    done = ended(echo_client, batch)
    assert done.status == "cancelled"
    assert done.cancelled_at is not None
    found = answers(echo_client, done.output_file_id)
    assert 3 <= len(found) == done.request_counts.completed < 500
    assert done.request_counts.failed == 0
    with pytest.raises(openai.ConflictError, match="Cannot cancel a batch with status 'cancelled'"):
        echo_client.batches.cancel(batch.id)
    assert echo_client.batches.retrieve(batch.id) == done


def test_a_batch_whose_time_is_over_tells_each_request_that_was_not_asked(
    tmp_path: Path, echo_client: OpenAI, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_work, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(batch_work, "LOOK_S", 0.05)
    echo.delay_s = 0.02
    batch = begin(echo_client, [line(number) for number in range(200)])
    while echo_client.batches.retrieve(batch.id).request_counts.completed < 3:
        time.sleep(0.02)
    _changed(settings_in(tmp_path), batch.id, expires_at=int(time.time()))
    done = ended(echo_client, batch)
    assert done.status == "expired"
    assert done.expired_at is not None
    good = answers(echo_client, done.output_file_id)
    bad = answers(echo_client, done.error_file_id)
    assert len(good) >= 3
    assert len({each["custom_id"] for each in good + bad}) == len(good + bad) == 200
    assert {each["error"]["code"] for each in bad} == {"batch_expired"}
    assert all(each["response"] is None for each in bad)


def test_files_of_answers_expire_where_that_was_asked_for(echo_client: OpenAI) -> None:
    life: Any = {"anchor": "created_at", "seconds": 3600}
    batch = ended(echo_client, begin(echo_client, [line(1)], output_expires_after=life))
    file = echo_client.files.retrieve(batch.output_file_id)
    assert file.expires_at == file.created_at + 3600


def test_a_batch_whose_file_was_deleted_fails(tmp_path: Path, echo: Echo) -> None:
    settings = settings_in(tmp_path)
    with echoing(settings, echo) as client:
        batch = ended(client, begin(client, [line(1)]))
        client.files.delete(batch.input_file_id)
    _changed(settings, batch.id, status="validating")
    with echoing(settings, echo) as client:
        done = ended(client, batch)
    assert (done.status, done.errors.data[0].code) == ("failed", "input_file_deleted")


def _changed(settings: ServeSettings, batch_id: str, **values: Any) -> None:
    """Change the row of a batch from outside."""
    store = Store(settings.database_url)
    with store.writing() as connection:
        where = objects.c.id == batch_id
        body = connection.execute(select(objects.c.body).where(where)).scalar_one() | values
        changed = update(objects).where(where).values(status=body["status"], body=body)
        connection.execute(changed)
    store.close()


def test_a_killed_server_goes_on_and_answers_nothing_twice(tmp_path: Path) -> None:
    folder, port = tmp_path / "served", tmp_path / "port"
    script = Path(__file__).parents[1] / "echoing.py"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(folder), str(port)]
    batch: Any = None
    for kills in range(4):
        port.unlink(missing_ok=True)
        with subprocess.Popen(command, env=environment) as server:
            try:
                client = _client_of(port, server)
                batch = batch or begin(client, [line(number) for number in range(100)])
                if kills == 3:
                    batch = ended(client, batch)
                    found = answers(client, batch.output_file_id)
                else:
                    before = _lines_in(folder)
                    while _lines_in(folder) < before + 10 + kills:
                        time.sleep(0.02)
            finally:
                server.send_signal(signal.SIGKILL)
    assert batch.request_counts.model_dump() == {"total": 100, "completed": 100, "failed": 0}
    ids = [each["custom_id"] for each in found]
    assert sorted(ids) == sorted(f"request-{number}" for number in range(100))
    assert [path.name for path in (folder / "batches").iterdir()] == []


def _client_of(port: Path, server: subprocess.Popen[bytes]) -> OpenAI:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        if port.exists() and port.read_text():
            url = f"http://127.0.0.1:{port.read_text()}/v1"
            return OpenAI(base_url=url, api_key=KEY, max_retries=5, timeout=60)
        time.sleep(0.05)
    raise AssertionError("the server did not begin")


def _lines_in(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("batches/*/*.jsonl"))


def test_a_line_that_is_written_is_not_written_again(tmp_path: Path) -> None:
    answers = BatchAnswers(tmp_path / "batch")
    good, bad = Answered(200, {"usage": None}, "req_1"), Answered(400, {}, "req_2")
    answers.add("a", good)
    answers.add("a", bad)
    answers.add("b", bad)
    with (tmp_path / "batch" / "output.jsonl").open("ab") as file:
        file.write(b'{"custom_id": "torn')
    again = BatchAnswers(tmp_path / "batch")
    assert again.counts(3) == {"total": 3, "completed": 1, "failed": 1}
    assert [again.has(each) for each in ("a", "b", "torn")] == [True, True, False]
    again.add("c", good)
    assert BatchAnswers(tmp_path / "batch").counts(3)["completed"] == 2


def test_two_servers_do_not_work_on_one_batch(tmp_path: Path) -> None:
    settings, one, two = settings_in(tmp_path), Echo(0.02), Echo(0.02)
    with echoing(settings, one) as client, echoing(settings, two):
        done = ended(client, begin(client, [line(number) for number in range(60)]))
    assert done.request_counts.completed == 60
    assert len(one.asked) + len(two.asked) == 60


def test_requests_are_asked_together(echo_client: OpenAI, echo: Echo) -> None:
    echo.delay_s = 0.05
    began = time.monotonic()
    ended(echo_client, begin(echo_client, [line(number) for number in range(64)]))
    assert time.monotonic() - began < 64 * 0.05
