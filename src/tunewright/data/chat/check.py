"""What the data check says of rows that are conversations or preferences: one finding per code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tunewright.data.chat.own_fields import own_field
from tunewright.data.chat.problem import Problem
from tunewright.data.chat.rules import NOTES, problems
from tunewright.data.findings import Finding, show_row
from tunewright.data.rows import Rows

SHOWN_PROBLEMS = 20
Met = tuple[Rows, int, Problem]


def format_findings(parts: Iterable[Rows]) -> Iterator[Finding]:
    """What is wrong with how rows are written, a finding for each code, as they come.

    The rows of a finding have the field and the problem too, and are there once for each field.
    """
    shown: dict[str, list[Met]] = {}
    counts: dict[str, int] = {}
    for rows in parts:
        for index, text in enumerate(rows.texts):
            met = problems(text)
            for problem in met:
                some = shown.setdefault(problem.code, [])
                if len(some) < SHOWN_PROBLEMS:
                    some.append((rows, index, problem))
            for code in {problem.code for problem in met}:
                counts[code] = counts.get(code, 0) + 1
    yield from _findings(shown, counts)


def _findings(shown: Mapping[str, list[Met]], counts: Mapping[str, int]) -> Iterator[Finding]:
    for code, met in shown.items():
        first = met[0][2]
        kinds = {problem.message for _, _, problem in met}
        said = first.message if len(kinds) == 1 else f"{first.message}; and others of this kind"
        count = counts[code]
        yield Finding(
            code,
            "note" if code in NOTES else "error",
            f"{'1 row' if count == 1 else f'{count} rows'} where {said}",
            first.fix,
            count,
            tuple(
                show_row(rows, index)
                | {
                    "field": own_field(problem.field, rows.texts[index], rows.own),
                    "problem": problem.message,
                }
                for rows, index, problem in met
            ),
        )
