"""The score in a judging model's answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunewright.grading.description import ScoreModel
from tunewright.grading.outcome import Errors, Grade, Usage, failed
from tunewright.grading.templates import render

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])")
_KEYS = ("result", "score", "reward")


@dataclass(frozen=True)
class Judged:
    """A judging model's answer.

    Args:
        text: None where it refused to answer.
        is_cut: it was stopped by the limit on its length.
    """

    text: str | None
    usage: Usage = field(default_factory=Usage)
    is_cut: bool = False


Judge = Callable[[str, Sequence[Mapping[str, str]], Mapping[str, Any]], Judged]
"""Model, messages, sampling parameters of chat completions → the answer; may raise JudgeError."""


class JudgeError(Exception):
    """The judging model could not be asked."""


def score_of(grader: ScoreModel, namespaces: Mapping[str, Any], judge: Judge) -> Grade:
    """The number that the model answers with, kept within the grader's range.

    Raises:
        TemplateError: a message names what is not there.
    """
    messages = [
        {"role": message.role, "content": render(message.text(), namespaces)}
        for message in grader.input
    ]
    try:
        judged = judge(grader.model, messages, _sampling(grader))
    except JudgeError as error:
        return failed(model_grader_server_error=True, model_grader_server_error_details=str(error))
    reward, errors = _read(judged, grader)
    return Grade(reward, errors, usage={grader.model: judged.usage}, model=grader.model)


def number_in(text: str) -> float | None:
    """The one number that a text says; None where it says none, or several.

    >>> number_in("Score: 0.8"), number_in('{"result": 1}'), number_in("8 of 10")
    (0.8, 1.0, None)
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        named = [found[key] for key in _KEYS if key in found]
        found = named[0] if named else None
    if isinstance(found, int | float) and not isinstance(found, bool):
        return _finite(found)
    numbers = {_finite(each) for each in _NUMBER.findall(text)}
    return numbers.pop() if len(numbers) == 1 else None


def _read(judged: Judged, grader: ScoreModel) -> tuple[float, Errors]:
    if judged.text is None:
        return 0.0, Errors(model_grader_refusal_error=True)
    number = number_in(judged.text)
    if number is None:
        return 0.0, Errors(model_grader_parse_error=True, truncated_observation_error=judged.is_cut)
    low, high = grader.range
    return min(max(number, low), high), Errors()


def _sampling(grader: ScoreModel) -> dict[str, Any]:
    """Under the names of chat completions."""
    if grader.sampling_params is None:
        return {}
    given = grader.sampling_params.model_dump(exclude_none=True)
    if "max_completions_tokens" in given:
        given["max_completion_tokens"] = given.pop("max_completions_tokens")
    return given


def _finite(value: str | float) -> float | None:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
