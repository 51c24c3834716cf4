"""Grade one answer: by whichever of the five kinds a grader is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tunewright.grading.alikeness import Embed, alikeness
from tunewright.grading.confined.launch import compiled_confined, run_confined
from tunewright.grading.confined.limits import Limits
from tunewright.grading.description import (
    Grader,
    Multi,
    OneGrader,
    PythonCode,
    ScoreModel,
    StringCheck,
    TextSimilarity,
)
from tunewright.grading.formula import FormulaError, evaluate, problem_of
from tunewright.grading.outcome import Errors, Grade, Usage, failed
from tunewright.grading.score import Judge, score_of
from tunewright.grading.templates import Sample, TemplateError, problems_of, render

LONGEST_COMPARED = 200_000  # characters: some metrics take time by the square
_RUNTIME = "python_grader_runtime_error"


@dataclass(frozen=True)
class Means:
    """What graders need from outside.

    Args:
        judge: asks a model, for score_model.
        embed: texts to vectors, for cosine.
        limits: of a Python grader.
    """

    judge: Judge | None = None
    embed: Embed | None = None
    limits: Limits = field(default_factory=Limits)


def grade(grader: Grader, sample: Sample, item: Mapping[str, Any], *, means: Means) -> Grade:
    """The reward of one answer; what goes wrong is flagged and gives zero.

    Args:
        sample: the answer.
        item: the row that it answers.
    Raises:
        UnconfinedError: a Python grader cannot be shut in here, and is not run.
    """
    namespaces = {"sample": sample.variables(), "item": item}
    if isinstance(grader, Multi):
        return _combined(grader, namespaces, means)
    return _one(grader, namespaces, means)


def problems(grader: Grader) -> list[str]:
    """What is wrong with a grader, before it grades anything.

    Raises:
        UnconfinedError: a Python grader cannot be shut in here.
    """
    found = [problem for template in _templates(grader) for problem in problems_of(template)]
    if isinstance(grader, PythonCode):
        wrong = compiled_confined(grader.source)
        found += [] if wrong is None else [f"source: {wrong}"]
    if isinstance(grader, Multi):
        for name, each in grader.graders.items():
            found += [f"graders.{name}: {problem}" for problem in problems(each)]
        wrong = problem_of(grader.calculate_output, list(grader.graders))
        found += [] if wrong is None else [f"calculate_output: {wrong}"]
    return found


def _one(grader: OneGrader, namespaces: Mapping[str, Any], means: Means) -> Grade:
    try:
        if isinstance(grader, PythonCode):
            return _by_python(grader, namespaces, means.limits)
        if isinstance(grader, ScoreModel):
            if means.judge is None:
                return failed(
                    model_grader_server_error=True,
                    model_grader_server_error_details="no model can be asked here",
                )
            return score_of(grader, namespaces, means.judge)
        texts = (render(grader.input, namespaces), render(grader.reference, namespaces))
    except TemplateError as error:
        return failed(
            sample_parse_error=error.of_sample, invalid_variable_error=not error.of_sample
        )
    if isinstance(grader, StringCheck):
        return Grade(float(_holds(grader.operation, *texts)))
    return _alike(grader, *texts, means.embed)


def _holds(operation: str, text: str, reference: str) -> bool:
    """`like`: the text contains the reference; `ilike`: in whichever case."""
    if operation == "ilike":
        return reference.casefold() in text.casefold()
    if operation == "like":
        return reference in text
    return (text == reference) == (operation == "eq")


def _alike(grader: TextSimilarity, text: str, reference: str, embed: Embed | None) -> Grade:
    if max(len(text), len(reference)) > LONGEST_COMPARED:
        return failed(other_error=True)
    try:
        return Grade(alikeness(grader.evaluation_metric, text, reference, embed=embed))
    except ValueError:  # no model that embeds
        return failed(other_error=True)


def _by_python(grader: PythonCode, namespaces: Mapping[str, Any], limits: Limits) -> Grade:
    found = run_confined(grader.source, namespaces["sample"], namespaces["item"], limits=limits)
    if found.value is not None:
        return Grade(found.value)
    return failed(**{_RUNTIME: True, f"{_RUNTIME}_details": found.details})


def _combined(grader: Multi, namespaces: Mapping[str, Any], means: Means) -> Grade:
    grades = {name: _one(each, namespaces, means) for name, each in grader.graders.items()}
    scores = {name: each.reward for name, each in grades.items()}
    errors, usage = Errors(), dict[str, Usage]()
    for each in grades.values():
        errors = errors.and_also(each.errors)
        for model, used in each.usage.items():
            usage[model] = usage.get(model, Usage()).and_also(used)
    try:
        reward = evaluate(grader.calculate_output, scores)
    except FormulaError:
        reward, errors = 0.0, errors.and_also(Errors(formula_parse_error=True))
    return Grade(reward, errors, scores, usage, next(iter(usage)) if len(usage) == 1 else None)


def _templates(grader: Grader) -> Iterator[str]:
    if isinstance(grader, StringCheck | TextSimilarity):
        yield from (grader.input, grader.reference)
    if isinstance(grader, ScoreModel):
        yield from (message.text() for message in grader.input)
