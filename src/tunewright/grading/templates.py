"""Templates: `{{item.answer}}`, `{{sample.output_json.parts[0].text}}`."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEP = re.compile(
    r"""\.(?P<name>[^\s.\[\]{}"']+)|\[\s*(?P<number>-?\d{1,9})\s*\]|\[\s*(?P<quote>["'])(?P<key>.*?)(?P=quote)\s*\]"""
)
_SPACE = re.compile(r"(item|sample)\s*(?=[.\[])")
SAMPLE_VARIABLES = ("output_text", "output_json", "output_tools", "choices")
LONGEST_RENDERED = 4 << 20  # characters


class TemplateError(Exception):
    """A template cannot be read, or names what is not there.

    Args:
        what: what is wrong, with the template.
        of_sample: the answer is no JSON, and its `output_json` was asked for.
    """

    def __init__(self, what: str, *, of_sample: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.of_sample = of_sample


@dataclass(frozen=True)
class Sample:
    """A model's answer, as graders see it.

    Args:
        output_text: its text.
        output_tools: its tool calls, as chat completions have them.
    """

    output_text: str
    output_tools: tuple[Mapping[str, Any], ...] = ()

    def variables(self) -> dict[str, Any]:
        """What `sample` holds; `output_json` only where the text is JSON."""
        message: dict[str, Any] = {"role": "assistant", "content": self.output_text}
        if self.output_tools:
            message["tool_calls"] = list(self.output_tools)
        reason = "tool_calls" if self.output_tools else "stop"
        found: dict[str, Any] = {
            "output_text": self.output_text,
            "output_tools": list(self.output_tools),
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        }
        with contextlib.suppress(ValueError, RecursionError):
            found["output_json"] = json.loads(self.output_text)
        return found


def render(template: str, namespaces: Mapping[str, Any]) -> str:
    """The template with its variables in place; what these hold is not read as a template.

    Args:
        namespaces: what `item` and `sample` hold.
    Raises:
        TemplateError: a variable is not there, or all of it is too long.
    """
    length = 0

    def value(found: re.Match[str]) -> str:
        nonlocal length
        text = _as_text(_looked_up(found[1].strip(), namespaces))
        length += len(text)
        if length > LONGEST_RENDERED:
            raise TemplateError(f"a template becomes longer than {LONGEST_RENDERED:,} characters")
        return text

    return _PLACE.sub(value, template)


def problems_of(template: str) -> Iterator[str]:
    """What is wrong with a template, before there is anything to put into it."""
    for found in _PLACE.finditer(template):
        path = found[1].strip()
        try:
            space, steps = _steps(path)
        except TemplateError as error:
            yield error.what
            continue
        if space == "sample" and steps[0] not in SAMPLE_VARIABLES:
            known = ", ".join(SAMPLE_VARIABLES)
            yield f"'{{{{{path}}}}}': sample has {known}, and no '{steps[0]}'"


def _looked_up(path: str, namespaces: Mapping[str, Any]) -> Any:
    space, steps = _steps(path)
    value: Any = namespaces.get(space)
    for step in steps:
        try:
            value = _entered(value, step)
        except (KeyError, IndexError, TypeError, ValueError):
            raise TemplateError(
                f"'{{{{{path}}}}}': there is no '{step}'",
                of_sample=space == "sample" and steps[0] == "output_json",
            ) from None
    return value


def _entered(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value[step]
    if isinstance(value, list):
        return value[int(step)]
    raise TypeError


def _steps(path: str) -> tuple[str, list[str]]:
    """The namespace, and the names and numbers behind it; at least one."""
    space = _SPACE.match(path)
    rest, steps = path[space.end() :] if space else "", list[str]()
    while rest:
        found = _STEP.match(rest)
        if found is None:
            raise TemplateError(f"'{{{{{path}}}}}' cannot be read at '{rest}'")
        steps.append(found["name"] or found["number"] or found["key"])
        rest = rest[found.end() :].lstrip()
    if space is None or not steps:
        raise TemplateError(f"'{{{{{path}}}}}' begins neither with item. nor with sample.")
    return space[1], steps


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
