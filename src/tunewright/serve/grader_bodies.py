"""The grader of a request: read, or refused with the place of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tunewright.grading.description import Grader
from tunewright.serve.answers import ApiError, field_path

_GRADERS: TypeAdapter[Grader] = TypeAdapter(Grader)
_MOST_TOLD = 5


def read_grader(given: Mapping[str, Any], *, param: str = "grader") -> Grader:
    """The grader that a body describes.

    Args:
        param: where in the body it is.
    Raises:
        ApiError: it describes none; `param` leads to the first field that is wrong.
    """
    try:
        return _GRADERS.validate_python(given)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    told = list(dict.fromkeys(_told(problem, given, param) for problem in problems))
    first = _place(problems[0]["loc"], given, param)
    raise ApiError(400, "; ".join(told[:_MOST_TOLD]), first, "invalid_grader")


def is_nested(given: Mapping[str, Any]) -> bool:
    """Whether it is a multi grader that holds another, which no formula is computed for."""
    graders = given.get("graders")
    if given.get("type") != "multi" or not isinstance(graders, Mapping):
        return False
    inner = [graders, *graders.values()]
    return any(isinstance(each, Mapping) and each.get("type") == "multi" for each in inner)


def _told(problem: Any, given: Mapping[str, Any], param: str) -> str:
    place = _place(problem["loc"], given, param)
    if problem["type"] == "extra_forbidden":
        return f"Unknown parameter: '{place}'"
    if problem["type"] == "missing":
        return f"Missing required parameter: '{place}'"
    return f"Invalid value for '{place}': {problem['msg'].removeprefix('Value error, ')}"


def _place(loc: Sequence[Any], given: Mapping[str, Any], param: str) -> str:
    """The path in the body; pydantic's names for the kinds that it tried are left out."""
    path: list[Any] = ["body", param]
    here: Any = given
    for part in loc:
        inside = isinstance(here, Mapping) and part in here
        listed = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if inside or listed:
            here = here[part]
            path.append(part)
        elif part == loc[-1] and isinstance(here, Mapping) and here.get("type") != part:
            path.append(part)  # a field that is missing
    return str(field_path(path))
