"""Routes × attacks: each cell is asked, and every answer judged."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attacks.kinds import KINDS, Attempt, Kind, described
from attacks.targets import Target
from attacks.wire import Answer
from attacks.world import World

AT_ONCE = 24
"""Slow ones wait beside each other."""
INSIDE = ("Traceback", "site-packages", 'File "', "sqlalchemy", "sqlite", "root:x:0")
"""What an answer would tell of the inside."""


@dataclass
class Cell:
    """What became of an attack on a route.

    Args:
        why_not: it is empty.
        wrong: whatever should not be so.
    """

    route: str
    kind: str
    why_not: str = ""
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def fill(world: World) -> list[Cell]:
    """Attack every route in every way."""
    cells = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for kind in KINDS:
            ask_all = threads.map if kind.name == "slow body" else map
            cells += list(
                ask_all(lambda target, kind=kind: _cell(world, target, kind), world.targets)
            )
    return cells


def _cell(world: World, target: Target, kind: Kind) -> Cell:
    cell = Cell(target.name, kind.name, kind.why_not(target))
    if cell.why_not:
        return cell
    for attempt in kind.attempts(world, target):
        answer = world.ask(attempt.request)
        cell.statuses[answer.status] += 1
        wrong = list(_wrong(world, attempt, answer))
        cell.wrong += [f"{described(attempt)}: {each}" for each in wrong]
    return cell


def _wrong(world: World, attempt: Attempt, answer: Answer) -> Iterator[str]:
    """All that is wrong with an answer."""
    told, error = answer.body.decode("utf-8", "replace"), answer.error
    if answer.status not in attempt.statuses:
        yield f"answered with {answer.status}: {told[:200]}"
    if set(error) != {"message", "type", "param", "code"} or not error["message"]:
        yield f"no error body: {told[:200]}"
    if attempt.names not in str(error.get("message")):
        yield f"does not name {attempt.names}: {told[:200]}"
    if not answer.headers.get("x-request-id", "").startswith("req_"):
        yield "no request id"
    if answer.headers.get("content-type") != "application/json":
        yield f"the content type is {answer.headers.get('content-type')}"
    places = (str(world.folder), str(Path(__file__).parents[2]), sys.prefix)
    for inside in (*INSIDE, *places, world.key, world.revoked):
        if inside in told:
            yield f"tells of {inside!r}: {told[:200]}"


@contextmanager
def logged() -> Iterator[list[str]]:
    """Within, every line that the server logs is added to what is yielded."""
    lines: list[str] = []

    class _Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    log, handler = logging.getLogger("tunewright.serve"), _Kept()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def let_in(world: World) -> dict[str, int]:
    """What proper requests are answered with: that which is refused is the attack.

    What deletes comes last.
    """
    last = ("/cancel", "/complete", "/pause", "/resume")
    order = sorted(
        world.targets, key=lambda each: (each.method == "DELETE", each.path.endswith(last))
    )
    return {target.name: world.ask(world.proper(target)).status for target in order}


def summary(cells: list[Cell]) -> dict[str, Any]:
    """For each kind: cells, requests, statuses, accepted, 500s, and why cells are empty."""
    found = {}
    for kind in KINDS:
        mine = [cell for cell in cells if cell.kind == kind.name]
        statuses = sum((cell.statuses for cell in mine), Counter[int]())
        empty = Counter(cell.why_not for cell in mine if cell.why_not)
        found[kind.name] = {
            "routes": sum(not cell.why_not for cell in mine),
            "empty": dict(empty),
            "requests": statuses.total(),
            "accepted": sum(count for status, count in statuses.items() if status < 400),
            "failed": sum(count for status, count in statuses.items() if status >= 500),
            "statuses": {str(status): statuses[status] for status in sorted(statuses)},
            "wrong": [f"{cell.route}: {each}" for cell in mine for each in cell.wrong],
        }
    return found
