"""A plan is the rehearsal of a run; the run shows what happened beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import QUICK, run_words
from tunewright import errors, planning

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def planned(
    tickets: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, list[Path]]:
    """A plan, the run of it, and what the plan left."""
    root = tmp_path_factory.mktemp("planned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(root / "runs"))
        patch.setenv("TUNEWRIGHT_CACHE", str(root / "cache"))
        plan = planning.plan(tickets, model=str(tiny_bert), settings=QUICK)
        left = [path for path in root.rglob("*") if path.is_file()]
        words = run_words(tickets, tiny_bert, "name=planned")
        alone = [sys.executable, "-m", "tunewright.cli.main", *words]  # its peak is its own
        subprocess.run(alone, check=True, capture_output=True)
        (run,) = (root / "runs").glob("*-planned-*")
    return plan, run, left


Planned = tuple[dict[str, Any], Path, list[Path]]


def test_a_plan_tells_what_a_run_takes(planned: Planned) -> None:
    plan, _, _ = planned
    assert 0 < plan["seconds"]["least"] <= plan["seconds"]["most"]
    assert plan["peak_memory_mib"] > 100
    assert 0 < plan["disk_mib"]["model"] < plan["disk_mib"]["run"]
    assert plan["tokens"]["trained"] == sum(
        plan["tokens"]["epoch"] * 2 for phase in plan["phases"] if phase["steps"]
    )
    assert plan["resume"]["seconds"] > 0
    assert plan["largest_batch"]["rows"] == plan["rows"]["train"]
    assert plan["price"] is None


def test_a_plan_leaves_nothing_but_itself(planned: Planned) -> None:
    plan, _, left = planned
    (kept,) = left
    assert kept.parent.name == "plans"
    assert json.loads(kept.read_text()) == plan


def test_the_phases_of_the_plan_are_those_of_the_run(planned: Planned) -> None:
    plan, run, _ = planned
    phases = json.loads((run / "result.json").read_text())["train"]["phases"]
    assert [each["name"] for each in plan["phases"]] == [each["name"] for each in phases]
    taken = [each["last_step"] - each["first_step"] for each in phases]
    bounds = [(each["least_steps"], each["steps"]) for each in plan["phases"]]
    assert all(least <= steps <= most for steps, (least, most) in zip(taken, bounds, strict=True))


def test_the_run_shows_the_plan_beside_what_happened(planned: Planned) -> None:
    plan, run, _ = planned
    found = json.loads((run / "result.json").read_text())["plan"]
    assert found["peak_memory_mib"]["planned"] == plan["peak_memory_mib"]
    assert found["peak_memory_mib"]["happened"] == pytest.approx(plan["peak_memory_mib"], rel=0.5)
    assert found["disk_mib"]["happened"] == pytest.approx(found["disk_mib"]["planned"], rel=0.2)
    assert found["seconds"]["least"] <= found["seconds"]["planned"] <= found["seconds"]["most"]
    assert "Planned and happened" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--train.epoch", "3"], "train.epoch"),
        (["--model", "./not-there"], "not-there"),
    ],
)
def test_a_wrong_request_is_refused_as_a_run_is(
    words: list[str], expected: str, cli: Cli, tickets: Path, tiny_bert: Path
) -> None:
    model = [] if "--model" in words else ["--model", str(tiny_bert)]
    of_plan, of_run = (cli(command, tickets, *model, *words) for command in ("plan", "run"))
    assert of_plan.code == of_run.code == 2
    assert of_plan.error() == of_run.error()
    assert expected in of_plan.error()
    assert not list((Path(os.environ["TUNEWRIGHT_CACHE"]) / "plans").glob("*"))


def test_a_plan_without_data_is_refused() -> None:
    with pytest.raises(errors.RecipeError, match="no data is named"):
        planning.plan(model="minilm")


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"code": -9}, "does not fit in memory"),
        ({"code": 1, "event": "stage"}, "ended with code 1"),
        (
            {"event": "refused", "kind": "DataError", "what": "no rows", "fix": "add some"},
            "no rows",
        ),
    ],
)
def test_a_rehearsal_that_ends_badly_says_why(
    last: dict[str, Any], expected: str, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "_rehearsed", lambda *_: last)
    with pytest.raises(errors.TunewrightError, match=expected):
        planning.plan(tickets, model="minilm")


def test_a_rehearsal_that_nobody_waits_for_is_ended(
    tickets: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def remembered(*args: Any, **rest: Any) -> Any:
        started.append(popen(*args, **rest))
        return started[-1]

    def interrupt(_: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", remembered)
    with pytest.raises(KeyboardInterrupt):
        planning.plan(tickets, model=str(tiny_bert), listeners=(interrupt,))
    assert started[0].returncode is not None
    started[0].stdout.close()
    assert not list((Path(os.environ["TUNEWRIGHT_CACHE"]) / "plans").glob("*"))
