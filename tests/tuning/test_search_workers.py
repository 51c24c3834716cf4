"""Several workers at one search, and workers that are stopped or killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from test_searching import SEARCH

from tunewright import errors
from tunewright.history.folder import runs_folder
from tunewright.tuning.search import tune

pytestmark = pytest.mark.usefixtures("one_thread")


def begun(data: Path, model: Path, trials: int, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tunewright.cli.main", "tune", str(data), "--model", str(model)]
    sets = [*SEARCH, "tune.seeds=1", "tune.keep=0", *more]
    words += ["--trials", str(trials), *(w for each in sets for w in ("--set", each))]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def studies() -> list[Path]:
    return sorted(runs_folder().glob("*-tune-*"))


def wait_for(there: Any, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert process.poll() is None, "it ended too soon"
        assert time.monotonic() < until
        time.sleep(0.02)


def done_trials() -> int:
    return sum(len(list(each.glob("trials/*/result.json"))) for each in studies())


def test_a_killed_search_goes_on_and_every_trial_ends_once(tickets: Path, tiny_bert: Path) -> None:
    process = begun(tickets, tiny_bert, 6)
    wait_for(lambda: done_trials() >= 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (study,) = studies()
    before = {path.parent.name: path.stat().st_mtime_ns for path in ended(study)}
    found = tune(join=study)
    assert found["trials"]["all"] == found["trials"]["complete"] + found["trials"]["pruned"] == 6
    numbers = [row["number"] for row in found["table"]]
    assert len(set(numbers)) == len(numbers)
    after = {path.parent.name: path.stat().st_mtime_ns for path in ended(study)}
    assert {name: after[name] for name in before} == before  # what was over is not done again


def ended(study: Path) -> list[Path]:
    return sorted(study.glob("trials/*/result.json"))


def test_a_trial_whose_worker_is_killed_twice_has_failed(tickets: Path, tiny_bert: Path) -> None:
    found = tune(tickets, model=str(tiny_bert), trials=2, settings=[*SEARCH, "tune.seeds=1"])
    (study,) = studies()
    from tunewright.recipe.load import load_recipe
    from tunewright.tuning.study import open_study
    from tunewright.tuning.table import table

    record = open_study(study, load_recipe(study / "recipe.yaml"), higher=True)
    with pytest.MonkeyPatch.context() as patch:
        queue: Any = FakeQueue(record)
        for _ in range(2):
            trial = record.record.ask()
            trial.set_user_attr("settings", json.dumps({"train.batch_size": 8}))
            queue.put_back()
        patch.undo()
    rows = table(record)
    assert found["trials"]["all"] == 2
    assert [(row.state, row.tries, row.failure) for row in rows[2:]] == [
        ("failed", 2, "its worker was killed")
    ]


class FakeQueue:
    """The part of a queue that needs no model."""

    def __init__(self, study: Any) -> None:
        from tunewright.recipe.tune import Choice
        from tunewright.tuning.queue import Queue

        self.queue = Queue.__new__(Queue)
        self.queue.study = study
        self.queue.space = {"train.batch_size": Choice(values=(8, 16))}

    def put_back(self) -> None:
        self.queue._put_back()


def test_a_study_with_other_data_is_refused(tmp_path: Path, tickets: Path, tiny_bert: Path) -> None:
    data = tmp_path / "mine.csv"
    data.write_bytes(tickets.read_bytes())
    tune(data, model=str(tiny_bert), trials=1, settings=[*SEARCH, "tune.seeds=1"])
    (study,) = studies()
    lines = data.read_text().splitlines()
    data.write_text("\n".join(lines[:-30]) + "\n")
    with pytest.raises(errors.ChangedError, match="data"):
        tune(join=study)


def test_only_a_search_can_be_joined(tmp_path: Path) -> None:
    from tunewright.history.folder import create_run

    folder = create_run("plain", "model: minilm\n")
    with pytest.raises(errors.RunError, match="is a run, not a search"):
        tune(join=folder)
    with pytest.raises(errors.RecipeError, match="keeps its recipe and budget"):
        tune(join=folder, trials=3)


def test_two_workers_share_the_trials_and_the_cores(
    tickets: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.tuning import desk

    first = begun(tickets, tiny_bert, 8)
    wait_for(lambda: done_trials() >= 1, first)
    (study,) = studies()
    asked: list[int] = []
    monkeypatch.setattr(desk, "usable_cores", lambda: 4)
    threads = desk.threads_here
    from tunewright.tuning import search

    monkeypatch.setattr(
        search, "threads_here", lambda workers: asked.append(workers) or threads(workers)
    )
    found = tune(join=study)
    assert first.wait(timeout=120) == 0
    assert found["trials"]["complete"] + found["trials"]["pruned"] == 8
    assert asked[0] == 2
    assert threads(2) == 2
    assert os.listdir(study / "workers") == []


@pytest.mark.slow
def test_two_workers_and_ten_kills_end_every_trial_once(tickets: Path, tiny_bert: Path) -> None:
    import random

    draw = random.Random(5)
    words = [sys.executable, "-m", "tunewright.cli.main", "tune", "--join"]
    first = begun(tickets, tiny_bert, 30)
    wait_for(studies, first)
    (study,) = studies()
    workers = [first, subprocess.Popen([*words, str(study)], stderr=subprocess.DEVNULL)]
    for _ in range(10):
        time.sleep(draw.uniform(6, 12))
        victim = draw.randrange(2)
        workers[victim].send_signal(signal.SIGKILL)
        workers[victim].wait()
        workers[victim] = subprocess.Popen([*words, str(study)], stderr=subprocess.DEVNULL)
    for each in workers:
        each.wait(timeout=900)
    found = tune(join=study)
    counts = found["trials"]
    assert counts["all"] == counts["complete"] + counts["pruned"] + counts["failed"] == 30
    assert len({row["number"] for row in found["table"]}) == 30


def test_a_storage_that_goes_away_and_comes_back_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from optuna.exceptions import StorageInternalError

    from tunewright.tuning import study

    waited: list[float] = []
    monkeypatch.setattr(study.time, "sleep", waited.append)
    answers: list[Any] = [StorageInternalError("gone"), OSError("gone"), 7]

    def ask() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    assert study.patiently(ask) == 7
    assert len(waited) == 2
    monkeypatch.setattr(study, "PATIENCE_S", 0.0)
    with pytest.raises(errors.FailedRunError, match="does not answer"):
        study.patiently(lambda: (_ for _ in ()).throw(StorageInternalError("gone")))


def test_a_database_holds_the_trials_where_one_is_named(
    tmp_path: Path, tickets: Path, tiny_bert: Path
) -> None:
    url = f"tune.storage=sqlite:///{tmp_path}/trials.db"
    sets = [*SEARCH, "tune.seeds=1", "tune.keep=0", url]
    found = tune(tickets, model=str(tiny_bert), trials=3, settings=sets)
    (study,) = studies()
    assert not (study / "trials.journal").exists()
    assert tune(join=study)["table"] == found["table"]
    gone = f"tune.storage=sqlite:///{tmp_path}/nowhere/trials.db"
    with pytest.raises(errors.RunError, match=r"tune\.storage cannot be reached"):
        tune(tickets, model=str(tiny_bert), trials=1, settings=[*SEARCH, gone])
