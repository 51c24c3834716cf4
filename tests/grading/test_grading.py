import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tunewright.grading.description import Grader
from tunewright.grading.grade import Means, grade, problems
from tunewright.grading.outcome import Errors, Grade, Usage
from tunewright.grading.score import Judged, JudgeError, number_in
from tunewright.grading.templates import Sample

GRADERS: TypeAdapter[Grader] = TypeAdapter(Grader)
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
    "evaluation_metric": "fuzzy_match",
}
JUDGED = {
    "type": "score_model",
    "name": "judge",
    "model": "small",
    "input": [{"role": "user", "content": "Score {{sample.output_text}} beside {{item.label}}"}],
}
MULTI = {
    "type": "multi",
    "name": "both",
    "graders": {"exact": EXACT, "alike": ALIKE},
    "calculate_output": "0.5 * exact + 0.5 * alike",
}


def graded(described: Mapping[str, Any], text: str, item: object = None, **means: Any) -> Grade:
    grader = GRADERS.validate_python(described)
    assert problems(grader) == []
    return grade(grader, Sample(text), item or {"label": "Paris"}, means=Means(**means))


def says(text: str | None, **more: Any) -> dict[str, Any]:
    return {"judge": lambda model, messages, sampling: Judged(text, **more)}


@pytest.mark.parametrize(
    ("operation", "text", "reward"),
    [
        ("eq", "Paris", 1),
        ("eq", "paris", 0),
        ("ne", "Paris", 0),
        ("ne", "Rome", 1),
        ("like", "It is Paris.", 1),
        ("like", "it is paris.", 0),
        ("ilike", "IT IS PARIS.", 1),
        ("ilike", "Rome", 0),
    ],
)
def test_a_string_check_compares(operation: str, text: str, reward: float) -> None:
    assert graded(EXACT | {"operation": operation}, text) == Grade(reward)


def test_a_missing_variable_is_flagged_and_gives_zero() -> None:
    found = graded(EXACT | {"reference": "{{item.other}}", "operation": "ne"}, "Paris")
    assert found == Grade(0.0, Errors(invalid_variable_error=True))
    found = graded(EXACT | {"input": "{{sample.output_json.x}}", "operation": "ne"}, "no json")
    assert found == Grade(0.0, Errors(sample_parse_error=True))


def test_texts_too_long_to_compare_are_flagged() -> None:
    assert graded(ALIKE, "x" * 300_000).errors == Errors(other_error=True)


def test_cosine_without_a_model_that_embeds_is_flagged() -> None:
    cosine = ALIKE | {"evaluation_metric": "cosine"}
    assert graded(cosine, "Paris").errors == Errors(other_error=True)
    assert graded(cosine, "Paris", embed=lambda texts: [[1.0, 0.0]] * 2).reward == 1.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.75", 0.75),
        (" 1 ", 1.0),
        ("Score: 0.8", 0.8),
        ("-3", -3.0),
        ('{"result": 0.5, "steps": [1, 2]}', 0.5),
        ("0.8, so 0.8", 0.8),
        ("8 of 10", None),
        ("good", None),
        ("nan", None),
        ("true", None),
        ("1e999", None),
        ("v1.2.3", None),
        ("", None),
    ],
)
def test_the_number_of_an_answer_is_the_only_one_in_it(text: str, number: float | None) -> None:
    assert number_in(text) == number


def test_a_judge_is_asked_with_the_values_in_place() -> None:
    asked: list[Any] = []

    def judge(model: str, messages: Sequence[Any], sampling: Mapping[str, Any]) -> Judged:
        asked.append((model, messages, sampling))
        return Judged("0.4", Usage(7, 2))

    described = JUDGED | {"sampling_params": {"seed": 1, "max_completions_tokens": 5}}
    found = graded(described, "Rome", judge=judge)
    assert asked == [
        (
            "small",
            [{"role": "user", "content": "Score Rome beside Paris"}],
            {"seed": 1, "max_completion_tokens": 5},
        )
    ]
    assert (found.reward, found.model) == (0.4, "small")
    assert found.usage == {"small": Usage(7, 2)}


@pytest.mark.parametrize(("answer", "reward"), [("7", 5.0), ("-7", -1.0), ("2.5", 2.5)])
def test_a_score_is_kept_within_its_range(answer: str, reward: float) -> None:
    assert graded(JUDGED | {"range": [-1, 5]}, "Rome", **says(answer)).reward == reward


def test_a_judge_without_a_number_is_flagged_and_gives_zero() -> None:
    assert graded(JUDGED, "", **says("fine")).errors == Errors(model_grader_parse_error=True)
    assert graded(JUDGED, "", **says("I thi", is_cut=True)).errors == Errors(
        model_grader_parse_error=True, truncated_observation_error=True
    )
    assert graded(JUDGED, "", **says(None)).errors == Errors(model_grader_refusal_error=True)


def test_a_judge_that_cannot_be_asked_is_flagged_with_the_reason() -> None:
    def judge(*_: Any) -> Judged:
        raise JudgeError("no such model")

    for means in ({"judge": judge}, {}):
        found = graded(JUDGED, "", **means)
        assert found.reward == 0.0
        assert found.errors.model_grader_server_error
        assert found.errors.model_grader_server_error_details


def test_a_formula_joins_the_rewards_of_several() -> None:
    found = graded(MULTI, "Paris")
    assert (found.reward, found.scores) == (1.0, {"exact": 1.0, "alike": 1.0})
    assert 0 < graded(MULTI, "Pari").reward < 0.5


def test_what_went_wrong_in_one_of_several_is_flagged() -> None:
    broken = MULTI | {"graders": {"exact": EXACT | {"input": "{{item.no}}"}, "alike": ALIKE}}
    found = graded(broken, "Paris")
    assert (found.reward, found.errors) == (0.5, Errors(invalid_variable_error=True))


def test_a_formula_without_a_value_is_flagged_and_gives_zero() -> None:
    found = graded(MULTI | {"calculate_output": "alike / exact"}, "Rome")
    assert (found.reward, found.errors) == (0.0, Errors(formula_parse_error=True))


def test_the_response_has_what_the_api_says() -> None:
    body = graded(JUDGED, "Rome", judge=lambda *_: Judged("1", Usage(7, 2))).as_response(
        "judge", "score_model", seconds=0.5
    )
    assert json.loads(json.dumps(body)) == {
        "reward": 1.0,
        "metadata": {
            "name": "judge",
            "type": "score_model",
            "errors": {
                "formula_parse_error": False,
                "sample_parse_error": False,
                "truncated_observation_error": False,
                "unresponsive_reward_error": False,
                "invalid_variable_error": False,
                "other_error": False,
                "python_grader_server_error": False,
                "python_grader_server_error_type": None,
                "python_grader_runtime_error": False,
                "python_grader_runtime_error_details": None,
                "model_grader_server_error": False,
                "model_grader_refusal_error": False,
                "model_grader_parse_error": False,
                "model_grader_server_error_details": None,
            },
            "execution_time": 0.5,
            "scores": {},
            "token_usage": 9,
            "sampled_model_name": "small",
        },
        "sub_rewards": {},
        "model_grader_token_usage_per_model": {
            "small": {
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "cached_tokens": 0,
                "total_tokens": 9,
            }
        },
    }


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (EXACT | {"operation": "neq"}, "operation"),
        (EXACT | {"colour": 1}, "colour"),
        (EXACT | {"name": ""}, "name"),
        (ALIKE | {"evaluation_metric": "rouge_9"}, "evaluation_metric"),
        (JUDGED | {"range": [1, 0]}, "lower first"),
        (JUDGED | {"range": [0]}, "range"),
        (JUDGED | {"input": []}, "input"),
        (JUDGED | {"input": [{"role": "user", "content": {"type": "input_image"}}]}, "content"),
        (MULTI | {"graders": {"inner": MULTI}}, "multi"),
        (MULTI | {"graders": {}}, "graders"),
        ({"type": "python", "name": "p", "source": "#" * 262144}, "262,144"),
        ({"type": "label_model", "name": "l"}, "label_model"),
        ({"name": "without a type"}, "type"),
    ],
)
def test_a_grader_that_is_none_is_refused_with_its_place(
    described: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        GRADERS.validate_python(described)


def test_one_grader_is_taken_where_a_map_is_meant() -> None:
    grader = GRADERS.validate_python(MULTI | {"graders": EXACT, "calculate_output": "exact"})
    assert problems(grader) == []


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (EXACT | {"input": "{{other.x}}"}, "neither with item. nor with sample."),
        (MULTI | {"calculate_output": "exact +"}, "calculate_output: the formula cannot be read"),
        (MULTI | {"calculate_output": "nix"}, "no grader is called 'nix'"),
        (MULTI | {"graders": {"max": EXACT}}, "a formula cannot name 'max'"),
        (
            MULTI | {"graders": {"exact": EXACT | {"input": "{{x}}"}, "alike": ALIKE}},
            "graders.exact",
        ),
        ({"type": "python", "name": "p", "source": "def grade(:"}, "source: line 1"),
    ],
)
def test_what_is_wrong_with_a_grader_is_told_before_it_grades(
    described: Mapping[str, Any], told: str
) -> None:
    found = problems(GRADERS.validate_python(described))
    assert len(found) == 1
    assert told in found[0]
