"""The parts that speak with a service, one by one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest

from tunewright.backends.openai.connection import connect
from tunewright.backends.openai.kept_answers import KeptAnswers
from tunewright.backends.openai.labelled import label_of
from tunewright.backends.openai.listing import pages
from tunewright.backends.openai.measured import measured
from tunewright.backends.openai.notes import Notes
from tunewright.backends.openai.patience import Patience, retry_after, wait_of
from tunewright.backends.openai.prices import prices_of
from tunewright.backends.openai.results import as_csv
from tunewright.backends.openai.writer import said
from tunewright.errors import RunError
from tunewright.recipe.service import Service


def failure(status: int, headers: dict[str, str] | None = None, **error: Any) -> openai.APIError:
    request = httpx.Request("GET", "http://127.0.0.1/v1")
    response = httpx.Response(status, headers=headers or {}, request=request)
    kinds = {429: openai.RateLimitError, 404: openai.NotFoundError}
    kind = kinds.get(status, openai.InternalServerError)
    return kind("said", response=response, body=error or None)


def test_a_service_is_asked_again_when_it_says_so() -> None:
    assert retry_after(failure(429, {"retry-after": "7"})) == 7.0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after(failure(429, {"retry-after": soon})) == pytest.approx(30, abs=2)
    assert retry_after(failure(429, {"retry-after": "soon"})) is None
    assert [wait_of(failure(500), tries) for tries in (0, 1, 2, 9)] == [1.0, 2.0, 4.0, 60.0]
    assert wait_of(failure(404), 0) is None
    assert wait_of(failure(429, code="insufficient_quota"), 0) is None


def test_patience_ends() -> None:
    waited: list[float] = []

    def fail() -> None:
        raise failure(500)

    with pytest.raises(RunError, match="failed at a look: status 500"):
        Patience("a.host", sleep=waited.append, most_s=100.0).ask("a look", fail)
    assert waited == [1, 2, 4, 8, 16, 32]


def test_the_key_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "very-secret")
    connection = connect("https://a.host/v1", "A_KEY")
    assert "very-secret" not in repr(connection)
    error = failure(500, message="no such key very-secret")
    assert "very-secret" not in str(connection.patience.refusal(error, "a look"))


def page(*ids: str, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(data=[SimpleNamespace(id=each) for each in ids], **more)


def test_a_list_ends_though_the_service_never_says_so() -> None:
    asked: list[dict[str, Any]] = []

    def same(cursor: dict[str, Any]) -> Any:
        asked.append(cursor)
        return page("a", "b")

    assert [[each.id for each in found] for found in pages(same)] == [["a", "b"]]
    assert asked == [{"limit": 100}, {"limit": 100, "after": "b"}]
    assert [len(found) for found in pages(lambda cursor: page("a", has_more=False))] == [1]
    assert list(pages(lambda cursor: page())) == []


def event(message: str, data: Any = None) -> SimpleNamespace:
    return SimpleNamespace(message=message, data=data)


def test_numbers_are_read_from_data_or_from_words() -> None:
    words = "Step 60/200: training loss=0.73, validation loss=1.46, full validation loss=0.40"
    told = {"step": 60, "steps": 200, "loss": 0.73, "valid_loss": 1.46, "full_valid_loss": 0.4}
    assert measured(event(words)) == told
    data = {"step": 60, "total_steps": 200, "train_loss": 0.7312, "valid_loss": float("nan")}
    assert measured(event("Step 60", data)) == {"step": 60, "steps": 200, "loss": 0.7312}
    assert measured(event("Fine-tuning job started", {})) is None
    assert measured(event("Step 3", None)) is None


def test_results_are_a_table_in_either_form() -> None:
    table = b"step,train_loss\n1,0.5\n"
    assert as_csv(table) == as_csv(base64.b64encode(table)) == table
    assert as_csv(base64.encodebytes(table * 9)) == table * 9
    assert as_csv(b"no table") == b"no table"


def test_an_answer_is_a_label_however_it_is_dressed() -> None:
    labels = ("refund", "Late", "late fee")
    assert [label_of(text, labels) for text in ("refund", " 'Refund'.", "**late**")] == [0, 0, 1]
    assert label_of("late fee.", labels) == 2
    assert label_of("it is late", labels) is None
    assert label_of("us", ("US", "us")) == 1
    assert label_of("Us", ("US", "us")) is None


def test_tool_calls_stand_in_the_answer_between_tags() -> None:
    call = SimpleNamespace(function=SimpleNamespace(name="look", arguments='{"id": 3}'))
    message = SimpleNamespace(content=None, tool_calls=[call], refusal=None)
    assert said(message) == '<tool_call>{"name": "look", "arguments": {"id": 3}}</tool_call>'
    refused = SimpleNamespace(content=None, tool_calls=None, refusal="I cannot do that.")
    assert said(refused) == "I cannot do that."


def test_prices_come_from_the_recipe_this_machine_or_the_table() -> None:
    listed = prices_of(Service(), "gpt-4o-mini-2024-07-18")
    assert listed is not None
    assert (listed.training, listed.input, listed.output) == (3.0, 0.30, 1.20)
    assert "April 2026" in listed.said_by
    assert prices_of(Service(), "another") is None
    here = prices_of(Service(preset="generic", base_url="http://localhost:1/v1"), "another")
    assert here is not None
    assert here.training == 0.0
    own = prices_of(Service(training_price=9.0), "gpt-4o-mini-2024-07-18")
    assert own is not None
    assert (own.training, own.output) == (9.0, 1.20)
    assert prices_of(Service(training_price=9.0), "another") is None


def test_what_was_begun_is_known_after_a_stop(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes.json")
    assert notes.of("job") is None
    notes.write("job", {"begun": 1.0})
    notes.write("file", {"id": "file-1"})
    assert Notes(tmp_path / "notes.json").of("job") == {"begun": 1.0}
    (tmp_path / "notes.json").write_text("[")
    with pytest.raises(RunError, match="which job is this run's is unknown"):
        notes.of("job")


def test_answers_are_kept_without_their_questions(tmp_path: Path) -> None:
    body = {"model": "a", "messages": [{"role": "user", "content": "a private question"}]}
    KeptAnswers(tmp_path / "kept.jsonl").add(body, ("an answer", True))
    assert KeptAnswers(tmp_path / "kept.jsonl").of(dict(reversed(body.items()))) == (
        "an answer",
        True,
    )
    assert "private" not in (tmp_path / "kept.jsonl").read_text()
    assert KeptAnswers(tmp_path / "kept.jsonl").of({**body, "model": "b"}) is None
    assert KeptAnswers().of(body) is None
