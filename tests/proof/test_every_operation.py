"""Every operation that a run asks of the disk, one after the other: killed there, or refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from disk import KILLED
from figures import prove
from outcomes import only_run, outcome
from warm import OPERATIONS, RESUME, Warm, said

from tunewright.train.checkpoint import complete_checkpoints, newest_whole

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
SETTINGS = ["train.threads=1", "train.precision=fp32", "evaluate.resamples=100"]
SETTINGS += ["train.strategy=staged", "train.epochs=1", "train.batch_size=21", "adapt.dropout=0.1"]
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EACCES")


class Reference(NamedTuple):
    """A run that nothing stopped, which saves at every step."""

    words: list[str]
    operations: list[str]
    outcome: dict[str, str]


@pytest.fixture
def reference(warm: Warm, few_rows: Path, tiny_bert: Path, runs: Path) -> Reference:
    words = ["run", str(few_rows), "--model", str(tiny_bert), "--set", *SETTINGS]
    place = runs / "never"
    assert warm.run(words, place) == 0
    run = only_run(place)
    assert run is not None
    operations = (place / OPERATIONS).read_text().splitlines()
    assert sum(name.startswith("replace step-") for name in operations) > 4
    return Reference(words, operations, outcome(run))


def chosen(operations: list[str], count: int | None) -> list[int]:
    """All, or so many of them, spread evenly."""
    return list(range(len(operations)))[:: 1 if count is None else len(operations) // count]


def none_torn(run: Path | None, before: list[str]) -> bool:
    """Whether every checkpoint that shows is whole, and the newest saved one is there."""
    if run is None:
        return not any(name.startswith("replace step-") for name in before)
    folder = run / "checkpoints"
    newest, broken = newest_whole(folder)
    saved = [name.split()[1] for name in before if name.startswith("replace step-")]
    shown = [path.name for path in complete_checkpoints(folder)]
    return not broken and (not saved or (newest is not None and saved[-1] in shown))


def ends_as(reference: Reference, warm: Warm, place: Path) -> bool:
    """Whether the run, resumed, is what it would have been."""
    words = RESUME if only_run(place) is not None else reference.words
    pid = warm.start(words, place)
    if warm.wait(pid) != 0 and "is done already" not in said(place, pid):
        print(said(place, pid))
        return False
    run = only_run(place)
    return run is not None and outcome(run) == reference.outcome


@pytest.mark.parametrize("count", [6, pytest.param(None, marks=pytest.mark.slow)])
def test_a_kill_at_every_operation_leaves_nothing_torn_and_loses_nothing(
    count: int | None, reference: Reference, warm: Warm, runs: Path
) -> None:
    cases = [
        (number, fault)
        for number in chosen(reference.operations, count)
        for fault in ("kill", "half")
        if fault == "kill" or reference.operations[number].startswith("write")
    ]
    good = 0
    for number, fault in cases:
        place = runs / f"{number}{fault}"
        code = warm.run(reference.words, place, at_operation=number, fault=fault)
        assert code == KILLED
        whole = none_torn(only_run(place), reference.operations[:number])
        same = ends_as(reference, warm, place)
        good += whole and same
        if not (whole and same):
            print(number, reference.operations[number], fault, whole, same)
        shutil.rmtree(place)
    prove("kills before or within an operation on the disk: none torn, identical", good, len(cases))


@pytest.mark.parametrize("count", [5, pytest.param(None, marks=pytest.mark.slow)])
def test_a_disk_that_refuses_any_operation_costs_one_error_and_no_checkpoint(
    count: int | None, reference: Reference, warm: Warm, runs: Path
) -> None:
    """Each operation with one of the four errors; what only tidies up may be passed over."""
    numbers, good = chosen(reference.operations, count), 0
    for number in numbers:
        place, what = runs / str(number), reference.operations[number]
        fault = ERRORS[number % len(ERRORS)]
        pid = warm.start(reference.words, place, at_operation=number, fault=fault)
        code = warm.wait(pid)
        lines = said(place, pid).splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        refused = code == 1 and len(errors) == 1 and lines[-2:] == [errors[0], lines[-1]]
        told = refused and lines[-1].startswith("fix: ") and "unexpected" not in errors[0]
        passed_over = code == 0 and what.split()[0] in ("unlink", "rmdir")
        done = reference.operations if passed_over else reference.operations[:number]
        whole = none_torn(only_run(place), done)
        same = ends_as(reference, warm, place)
        good += (told or passed_over) and whole and same
        if not ((told or passed_over) and whole and same):
            print(number, what, fault, code, told, whole, same, lines[-3:])
        shutil.rmtree(place)
    prove("refused operations: one error, no checkpoint lost, identical", good, len(numbers))
