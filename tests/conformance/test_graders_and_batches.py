"""Statement 59 and the batches of 60."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from grader_samples import ALIKE, EXACT, MULTI, NETWORK, PYTHON, judged
from named_server import Server
from openai import OpenAI

ITEM = {"label": "yes"}
ENDED = ("completed", "failed", "expired", "cancelled")


@pytest.fixture
def graders(client: OpenAI) -> Any:
    return client.fine_tuning.alpha.graders


@pytest.fixture
def needs_python(graders: Any, server: Server) -> None:
    """A machine that cannot shut a process in runs no source, and says so."""
    try:
        graders.validate(grader=PYTHON)
    except openai.BadRequestError as refused:
        if not server.is_own or "shut in" not in str(refused):
            raise
        pytest.skip(str(refused))


@pytest.mark.parametrize("grader", [EXACT, ALIKE, MULTI], ids=["string", "similarity", "multi"])
def test_59_graders_are_valid_and_run(graders: Any, grader: dict[str, Any]) -> None:
    graders.validate(grader=grader)
    assert graders.run(grader=grader, model_sample="yes", item=ITEM).reward == 1
    assert graders.run(grader=grader, model_sample="on", item=ITEM).reward < 1


@pytest.mark.usefixtures("needs_python")
def test_59_a_python_grader_is_valid_and_runs(graders: Any) -> None:
    graders.validate(grader=PYTHON)
    assert graders.run(grader=PYTHON, model_sample="yes", item=ITEM).reward == 1
    assert graders.run(grader=PYTHON, model_sample="no", item=ITEM).reward == 0


def test_59_a_model_that_judges_is_valid_and_runs(graders: Any, model: str) -> None:
    grader = judged(model)
    graders.validate(grader=grader)
    found = graders.run(grader=grader, model_sample="yes", item=ITEM)
    assert 0 <= found.reward <= 1
    assert found.metadata.sampled_model_name is not None
    assert found.metadata.errors.model_grader_parse_error in (False, found.reward == 0)


@pytest.mark.parametrize(
    "grader",
    [
        {**MULTI, "calculate_output": "exact +"},
        {**MULTI, "graders": {"inner": MULTI}, "calculate_output": "inner"},
    ],
    ids=["formula", "nested"],
)
def test_59_what_goes_wrong_is_flagged_and_gives_nothing(
    client: OpenAI, graders: Any, grader: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError):
        graders.validate(grader=grader)
    found = graders.run(grader=grader, model_sample="yes", item=ITEM)
    assert found.reward == 0
    assert any(value is True for value in found.metadata.errors.to_dict().values())
    assert client.models.list().data


@pytest.mark.usefixtures("needs_python")
def test_59_a_python_grader_that_raises_or_calls_out_gives_nothing(
    client: OpenAI, graders: Any, server: Server
) -> None:
    address = urlsplit(server.url)
    port = address.port or (443 if address.scheme == "https" else 80)
    for source in (
        "def grade(sample, item):\n    raise ValueError('no')\n",
        NETWORK.replace("PORT", str(port)),
    ):
        grader = {**PYTHON, "source": source}
        found = graders.run(grader=grader, model_sample="yes", item=ITEM)
        assert found.reward == 0
        assert found.metadata.errors.python_grader_runtime_error is True
    assert client.models.list().data


def test_60_of_twenty_lines_two_bad_ones_are_errors(client: OpenAI, model: str) -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 2}
    lines = [
        {
            "custom_id": f"request-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "no-such-model" if n in (3, 7) else model, **asked},
        }
        for n in range(20)
    ]
    content = "".join(json.dumps(each) + "\n" for each in lines).encode()
    file = client.files.create(file=("lines.jsonl", content), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"what": "conformance"},
    )
    assert batch.id in [each.id for each in client.batches.list(limit=5)]
    batch = ended(client, batch)
    assert (batch.status, batch.metadata) == ("completed", {"what": "conformance"})
    counts = batch.request_counts
    assert counts is not None
    assert (counts.total, counts.completed, counts.failed) == (20, 18, 2)
    good, bad = (
        {each["custom_id"]: each for each in answers(client, name)}
        for name in (batch.output_file_id, batch.error_file_id)
    )
    assert set(bad) == {"request-3", "request-7"}
    assert set(good) == {each["custom_id"] for each in lines} - set(bad)
    assert {each["response"]["status_code"] for each in good.values()} == {200}
    with pytest.raises(openai.APIStatusError):
        client.batches.cancel(batch.id)


def ended(client: OpenAI, batch: Any, *, timeout_s: float = 3600) -> Any:
    """The batch once it is over."""
    until = time.monotonic() + timeout_s
    while batch.status not in ENDED and time.monotonic() < until:
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return batch


def answers(client: OpenAI, file: str | None) -> list[dict[str, Any]]:
    """The lines of a file."""
    assert file is not None
    return [json.loads(line) for line in client.files.content(file).text.splitlines()]
