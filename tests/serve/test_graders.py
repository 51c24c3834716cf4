"""Graders through the official client: five kinds, what is refused, and what is flagged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from echoing import Echo, with_echo
from served import KEY, listening, settings_in
from tunewright.grading.confined import launch

EXACT = {
    "type": "string_check",
    "name": "exact",
    "input": "{{sample.output_text}}",
    "reference": "{{item.label}}",
    "operation": "eq",
}
ALIKE = {
    "type": "text_similarity",
    "name": "alike",
    "input": "{{sample.output_text}}",
    "reference": "{{item.label}}",
    "evaluation_metric": "rouge_l",
}
PYTHON = {
    "type": "python",
    "name": "code",
    "source": "def grade(sample, item):\n    return sample['output_text'] == item['label']\n",
    "image_tag": "2025-05-08",
}
JUDGED = {
    "type": "score_model",
    "name": "judge",
    "model": "echo",
    "input": [
        {"role": "user", "content": {"type": "input_text", "text": "{{sample.output_text}}"}}
    ],
    "sampling_params": {"seed": 1, "temperature": 0.0, "max_completions_tokens": 9},
}
MULTI = {
    "type": "multi",
    "name": "all",
    "graders": {"exact": EXACT, "code": PYTHON},
    "calculate_output": "(exact + code) / 2",
}
FIVE = [EXACT, ALIKE, PYTHON, JUDGED, MULTI]
needs_confinement = pytest.mark.skipif(
    launch._tried()[0] is None, reason="nothing here can shut a process in"
)


@pytest.fixture
def grader_url(tmp_path: Path) -> Iterator[str]:
    with listening(with_echo(settings_in(tmp_path), Echo())) as url:
        yield f"{url}/v1"


@pytest.fixture
def graders(grader_url: str) -> Iterator[Any]:
    with OpenAI(base_url=grader_url, api_key=KEY, max_retries=0) as client:
        yield client.fine_tuning.alpha.graders


@needs_confinement
@pytest.mark.parametrize("grader", FIVE, ids=lambda each: each["type"])
def test_each_kind_is_valid_and_comes_back_as_sent(grader_url: str, grader: Any) -> None:
    url = f"{grader_url}/fine_tuning/alpha/graders/validate"
    assert httpx.post(url, json={"grader": grader}).json() == {"grader": grader}


@needs_confinement
@pytest.mark.parametrize("grader", FIVE, ids=lambda each: each["type"])
def test_each_kind_gives_a_reward(graders: Any, grader: Any) -> None:
    item = {"label": "1"}
    found = graders.run(grader=grader, model_sample="1", item=item)
    assert found.reward == 1.0
    assert (found.metadata.name, found.metadata.type) == (grader["name"], grader["type"])
    assert found.metadata.execution_time > 0
    flags = found.metadata.errors.model_dump(by_alias=True)
    assert len(flags) == 14
    assert not any(flags.values())
    assert graders.run(grader=grader, model_sample="0", item=item).reward == 0.0


def test_a_model_that_judges_is_told_with_its_tokens(graders: Any) -> None:
    found = graders.run(grader=JUDGED, model_sample="0.5")
    assert (found.metadata.sampled_model_name, found.metadata.token_usage) == ("echo", 7)
    assert found.model_grader_token_usage_per_model["echo"]["completion_tokens"] == 2
    found = graders.run(grader=JUDGED | {"model": "other"}, model_sample="0.5")
    assert found.reward == 0.0
    assert found.metadata.errors.model_grader_server_error_details == (
        "The model `other` does not exist"
    )


def test_cosine_goes_through_the_embeddings_of_this_server(graders: Any) -> None:
    cosine = ALIKE | {"evaluation_metric": "cosine"}
    found = graders.run(grader=cosine, model_sample="abc", item={"label": "abc"})
    assert found.reward == pytest.approx(1.0)
    found = graders.run(grader=cosine, model_sample="", item={"label": "abc"})
    assert 0 < found.reward < 1


@needs_confinement
def test_rewards_of_a_formula_are_told_by_name(graders: Any) -> None:
    found = graders.run(grader=MULTI, model_sample="1", item={"label": "1"})
    assert found.sub_rewards == found.metadata.scores == {"exact": 1.0, "code": 1.0}


@needs_confinement
@pytest.mark.parametrize(
    ("grader", "flag"),
    [
        (MULTI | {"calculate_output": "exact +"}, "formula_parse_error"),
        (MULTI | {"calculate_output": "exact / 0"}, "formula_parse_error"),
        (MULTI | {"calculate_output": "9 ^ 9 ^ 9 ^ 9"}, "formula_parse_error"),
        (MULTI | {"graders": {"inner": MULTI}}, "other_error"),
        (PYTHON | {"source": "def grade(s, i): raise ValueError"}, "python_grader_runtime_error"),
        (PYTHON | {"source": "def grade(s, i): return 'x'"}, "python_grader_runtime_error"),
        (
            PYTHON | {"source": "import socket\ndef grade(s, i): return bool(socket.socket())"},
            "python_grader_runtime_error",
        ),
        (EXACT | {"reference": "{{item.other}}"}, "invalid_variable_error"),
        (EXACT | {"input": "{{sample.output_json.x}}"}, "sample_parse_error"),
        (JUDGED, "model_grader_parse_error"),
    ],
)
def test_what_goes_wrong_is_flagged_and_gives_zero(graders: Any, grader: Any, flag: str) -> None:
    found = graders.run(grader=grader, model_sample="no number", item={"label": "x"})
    assert found.reward == 0.0
    assert found.metadata.errors.model_dump(by_alias=True)[flag] is True


@needs_confinement
@pytest.mark.parametrize(
    ("grader", "param", "told"),
    [
        (EXACT | {"operation": "neq"}, "grader.operation", "'eq', 'ne', 'like' or 'ilike'"),
        (EXACT | {"colour": 1}, "grader.colour", "Unknown parameter: 'grader.colour'"),
        (
            {"type": "string_check", "name": "x", "operation": "eq", "input": "a"},
            "grader.reference",
            "Missing required parameter",
        ),
        (ALIKE | {"evaluation_metric": "rouge_6"}, "grader.evaluation_metric", "rouge_5"),
        ({"type": "other", "name": "x"}, "grader", "score_model"),
        ({"name": "x"}, "grader", "type"),
        (MULTI | {"graders": {"inner": MULTI}}, "grader.graders.inner", "multi"),
        (
            MULTI | {"graders": {"python": EXACT | {"operation": 1}}},
            "grader.graders.python.operation",
            "ilike",
        ),
        (PYTHON | {"source": "x" * (256 << 10)}, "grader.source", "262,144"),
        (PYTHON | {"source": "def grade(:"}, "grader", "source: line 1: invalid syntax"),
        (MULTI | {"calculate_output": "exact + nix"}, "grader", "no grader is called 'nix'"),
        (EXACT | {"input": "{{other.x}}"}, "grader", "neither with item. nor with sample."),
        (JUDGED | {"input": [{"role": "robot", "content": "x"}]}, "grader.input[0].role", "user"),
    ],
)
def test_what_is_no_grader_is_refused_with_its_place(
    graders: Any, grader: Any, param: str, told: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        graders.validate(grader=grader)
    assert refused.value.param == param
    assert refused.value.code == "invalid_grader"
    assert told in str(refused.value)


def test_a_field_that_there_is_not_is_refused(graders: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'reference'"):
        graders.run(grader=EXACT, model_sample="x", extra_body={"reference": "y"})
    with pytest.raises(openai.BadRequestError, match="model_sample"):
        graders.run(grader=EXACT, model_sample=7)


def test_a_server_that_cannot_shut_python_in_says_so(
    graders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_tried", lambda: (None, ("namespaces: not allowed",)))
    for ask in (graders.validate, lambda grader: graders.run(grader=grader, model_sample="x")):
        with pytest.raises(openai.BadRequestError, match="could not be shut in: namespaces"):
            ask(grader=PYTHON)


def test_a_server_can_be_told_to_run_no_python(tmp_path: Path) -> None:
    app = with_echo(settings_in(tmp_path, python_graders=False), Echo())
    with (
        listening(app) as url,
        OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        ask = client.fine_tuning.alpha.graders
        for grader in (PYTHON, MULTI):
            with pytest.raises(openai.BadRequestError, match="runs no Python graders"):
                ask.run(grader=grader, model_sample="x")
        assert ask.run(grader=EXACT, model_sample="a", item={"label": "a"}).reward == 1.0


@needs_confinement
def test_the_server_lives_on_after_attacks(graders: Any) -> None:
    for body in (
        "while True: __import__('os').fork()",
        "x = bytearray(1 << 40)",
        "__import__('os').kill(__import__('os').getppid(), 9)",
        "import ctypes; ctypes.string_at(0)",
        "return open('/etc/passwd').read() and 1",
    ):
        source = f"def grade(s, i):\n    {body}\n"
        assert graders.run(grader=PYTHON | {"source": source}, model_sample="x").reward == 0.0
    assert graders.run(grader=EXACT, model_sample="a", item={"label": "a"}).reward == 1.0
