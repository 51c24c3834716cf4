"""Statements 27 and 39 to 46: what is trained on, and by which method."""

from __future__ import annotations

import json
import math
from typing import Any

import openai
import pytest
from grader_samples import EXACT
from named_server import Server
from openai import OpenAI
from tool_talk import ARGUMENTS, QUESTION, TOOL, tool_talks

from followed import Again, losses, metrics
from tiny_chats import chats
from worked import SETTINGS, upload, wait_for

pytestmark = pytest.mark.slow  # jobs are trained
ASKED: dict[str, Any] = {"role": "user", "content": "hi"}
SAID: dict[str, Any] = {"role": "assistant", "content": "hello"}
PREFERENCES = [
    {
        "input": {"messages": [{"role": "user", "content": f"where is parcel {n}?"}]},
        "preferred_output": [{"role": "assistant", "content": "it is here, thank you"}],
        "non_preferred_output": [{"role": "assistant", "content": "no"}],
    }
    for n in range(16)
]


def failed(client: OpenAI, model: str, rows: list[Any], method: Any) -> Any:
    """The error of a job on these rows."""
    job = client.fine_tuning.jobs.create(
        model=model, training_file=upload(client, rows), method={"type": method}
    )
    ended = wait_for(client, job.id, "failed", timeout_s=3600)
    assert ended.finished_at is not None
    assert ended.fine_tuned_model is None
    assert ended.error is not None
    assert ended.error.param == "training_file"
    return ended.error


@pytest.mark.parametrize(
    ("rows", "method", "code"),
    [
        (chats(9), "supervised", "invalid_n_examples"),
        (chats(10), "dpo", "invalid_training_file"),
        (PREFERENCES, "supervised", "invalid_training_file"),
    ],
    ids=["nine", "chats", "preferences"],
)
def test_27_39_41_unfit_files_fail_the_job_with_a_code(
    client: OpenAI, model: str, rows: list[Any], method: Any, code: str
) -> None:
    error = failed(client, model, rows, method)
    assert error.code == code
    assert error.message


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([{"content": "hi"}, SAID], "role"),
        ([ASKED], "assistant"),
        ([{**ASKED, "weight": 1}, SAID], "weight"),
        ([ASKED, {**SAID, "weight": 2}], "weight"),
        (
            [ASKED, {"role": "assistant", "tool_calls": [{"type": "function", "function": {}}]}],
            "tool_calls",
        ),
    ],
    ids=["no-role", "no-assistant", "weight-of-user", "weight-2", "bad-call"],
)
def test_40_a_bad_example_is_named_with_its_cause(
    client: OpenAI, model: str, messages: list[Any], told: str
) -> None:
    rows = [*chats(10), {"messages": messages}]
    error = failed(client, model, rows, "supervised")
    assert error.code in ("invalid_training_file", "invalid_file_format")
    assert "xample 11" in error.message
    assert told in error.message


def test_42_a_turn_of_weight_zero_teaches_nothing(
    client: OpenAI, model: str, small: dict[str, Any], done: Any, again: Again
) -> None:
    """What comes after the last learned turn changes no loss, if it is not learned."""
    more = [ASKED, {"role": "assistant", "content": "never mind", "weight": 0}]
    rows = [{"messages": [*row["messages"], *more]} for row in chats(10)]
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=upload(client, rows),
        seed=done.seed,
        hyperparameters={"n_epochs": 4, "batch_size": 5},
        **small,
    )
    wait_for(client, job.id, "succeeded", timeout_s=3600)
    assert losses(client, job.id) == pytest.approx(losses(client, again.job.id), abs=1e-3)


def test_43_calls_of_tools_are_learned(client: OpenAI, server: Server, own: bool) -> None:
    settings = {**SETTINGS, "train.max_length": 512}
    job = client.fine_tuning.jobs.create(
        model=server.tool_model,
        training_file=upload(client, tool_talks(10)),
        hyperparameters={"n_epochs": 50 if own else 5, "batch_size": 5},
        extra_body={"tunewright": {"settings": settings}} if own else {},
    )
    tuned = wait_for(client, job.id, "succeeded", timeout_s=3600).fine_tuned_model
    answer = client.chat.completions.create(
        model=tuned, messages=[QUESTION], tools=[TOOL], temperature=0, max_tokens=120
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "track"
    assert json.loads(call.function.arguments) == ARGUMENTS


def test_44_preferences_are_learned(
    client: OpenAI, model: str, small: dict[str, Any], own: bool
) -> None:
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=upload(client, PREFERENCES[:10]),
        validation_file=upload(client, PREFERENCES[10:]),
        method={
            "type": "dpo",
            "dpo": {"hyperparameters": {"n_epochs": 6, "batch_size": 5, "beta": 0.5}},
        },
        **small,
    )
    tuned = wait_for(client, job.id, "succeeded", timeout_s=3600)
    assert tuned.method.dpo.hyperparameters.beta == 0.5
    steps = metrics(client, job.id)
    if own:
        assert steps[0]["train_loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert steps[-1]["train_loss"] < steps[0]["train_loss"]


@pytest.mark.parametrize(
    ("reinforcement", "has_validation"),
    [({}, True), ({"grader": EXACT}, False)],
    ids=["no-grader", "no-validation"],
)
def test_45_rewards_need_a_grader_and_a_validation_file(
    client: OpenAI, model: str, reinforcement: dict[str, Any], has_validation: bool
) -> None:
    file = upload(client, [{"messages": [ASKED], "label": "hello"}] * 10)
    more: dict[str, Any] = {"validation_file": file} if has_validation else {}
    method: Any = {"type": "reinforcement", "reinforcement": reinforcement}
    try:
        job = client.fine_tuning.jobs.create(model=model, training_file=file, method=method, **more)
    except openai.BadRequestError as refused:
        param = refused.param
    else:
        param = wait_for(client, job.id, "failed", timeout_s=3600).error.param
    assert param


def test_46_too_long_examples_are_cut_or_refused_with_a_warning(
    client: OpenAI, model: str, small: dict[str, Any], own: bool
) -> None:
    long = {"role": "user", "content": "please " * (600 if own else 70_000)}
    rows = [*chats(10), {"messages": [long, SAID]}]
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=upload(client, rows),
        hyperparameters={"n_epochs": 1, "batch_size": 5},
        **small,
    )
    ended = wait_for(client, job.id, "succeeded", "failed", timeout_s=3600)
    if ended.status == "failed":
        assert "11" in ended.error.message
        return
    warned = [e.message for e in client.fine_tuning.jobs.list_events(job.id) if e.level == "warn"]
    assert any("token" in each for each in warned), warned
