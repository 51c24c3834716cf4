"""Which test asks which statement of the API, and what holds.

    python tests/conformance/statements.py

lists them. A test begins with the numbers of its statements: `test_08_and_09_…`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

STATEMENTS = range(1, 61)
NUMBERS = re.compile(r"test_((?:(?:and_)?\d\d_)+)")
LEFT_OUT: dict[int, str] = {}
"""Statements of which nothing is asked, and why."""
LEFT_OUT_PARTS = {
    18: "that a file is gone when its hour is over: tests/serve/test_uploaded_files.py moves the clock",
    34: "of another server: from outside it cannot be killed",
    45: "that the mean reward rises: jobs of the method reinforcement are refused, not trained",
    48: "that a loss equals another computation of it: the weights before a step are not told",
    60: "evals: the API is closing them, and this server has none",
}
"""Parts of statements that are not asked, and why."""


def numbers_of(name: str) -> tuple[int, ...]:
    """The statements that a test asks.

    >>> numbers_of("test_08_and_09_wrong_values_are_named")
    (8, 9)
    """
    found = NUMBERS.match(name)
    return tuple(int(each) for each in re.findall(r"\d\d", found[1])) if found else ()


def asked_statements() -> dict[int, list[str]]:
    """Each statement that is asked → its tests."""
    found: dict[int, list[str]] = defaultdict(list)
    for name in _test_names():
        for number in numbers_of(name):
            found[number].append(name)
    return dict(sorted(found.items()))


def _test_names() -> Iterator[str]:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name


class Tally:
    """Statements that were asked, and those that did not hold, for each client."""

    def __init__(self) -> None:
        self._asked: dict[str, set[int]] = defaultdict(set)
        self._broken: dict[str, set[int]] = defaultdict(set)

    def take(self, report: pytest.TestReport) -> None:
        """Note one report; a skipped test asks nothing."""
        name = report.nodeid.rpartition("::")[2]
        if not numbers_of(name):
            return
        kinds = [k for k in ("sync", "async") if re.search(rf"[\[-]{k}[\]-]", name)]
        for kind in kinds or ("sync", "async"):
            if report.failed:
                self._broken[kind].update(numbers_of(name))
            if report.when == "call" and not report.skipped:
                self._asked[kind].update(numbers_of(name))

    def lines(self) -> Iterator[str]:
        """One for each client."""
        for kind in sorted(self._asked | self._broken, reverse=True):
            asked, broken = self._asked[kind] | self._broken[kind], self._broken[kind]
            told = f"; not {', '.join(map(str, sorted(broken)))}" if broken else ""
            yield f"{kind}: {len(asked - broken)} of {len(asked)} statements hold{told}"


if __name__ == "__main__":
    for number, names in asked_statements().items():
        print(f"{number:2} {', '.join(names)}")
    for number, why in (LEFT_OUT | LEFT_OUT_PARTS).items():
        print(f"{number:2} not asked: {why}")
