"""However a run is stopped, and whatever the service says: it has one job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import tunewright
from openai_service import Quirk, StandIn
from tunewright.backends.openai.notes import Notes
from tunewright.durable import read_lines
from tunewright.errors import TunewrightError
from tunewright.history.folder import run_folders
from tunewright.history.state import read_state

At = Callable[..., dict[str, Any]]
CREATE = "POST /fine_tuning/jobs"


class Killed(BaseException):
    """What no code catches."""


def test_a_stop_between_the_job_and_its_note_makes_no_second_job(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Notes.write

    def killed(self: Notes, name: str, facts: dict[str, Any]) -> None:
        if name == "job" and "id" in facts:
            raise Killed
        write(self, name, facts)

    with monkeypatch.context() as patch:
        patch.setattr(Notes, "write", killed)
        with pytest.raises(Killed):
            tunewright.run(conversations, **at())
    assert len(service.store.jobs) == 1
    done = tunewright.run(resume=run_folders()[-1])
    assert len(service.store.jobs) == service.count(CREATE) == 1
    assert done.result["model"]["job"] in service.store.jobs
    assert service.count("POST /files") == 2


def test_a_stop_between_a_file_and_its_note_sends_no_second_file(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Notes.write

    def killed(self: Notes, name: str, facts: dict[str, Any]) -> None:
        if name.endswith("-train.jsonl") and "id" in facts:
            raise Killed
        write(self, name, facts)

    with monkeypatch.context() as patch:
        patch.setattr(Notes, "write", killed)
        with pytest.raises(Killed):
            tunewright.run(conversations, **at())
    tunewright.run(resume=run_folders()[-1])
    assert service.count("POST /files") == 2


@pytest.mark.parametrize(
    "quirk",
    [
        Quirk(CREATE, done=True, status=500),
        Quirk(CREATE, done=True, drop=True),
        Quirk(CREATE, done=True, status=409),
    ],
    ids=["an error after it was done", "no answer after it was done", "a conflict"],
)
def test_a_job_that_nobody_confirmed_is_found(
    quirk: Quirk, service: StandIn, conversations: Path, at: At
) -> None:
    service.quirks.append(quirk)
    tunewright.run(conversations, **at())
    assert len(service.store.jobs) == 1


def test_a_job_that_is_listed_late_is_found(service: StandIn, conversations: Path, at: At) -> None:
    empty = {"object": "list", "data": [], "has_more": False}
    service.quirks += [
        Quirk(CREATE, done=True, status=500),
        Quirk("GET /fine_tuning/jobs", status=200, body=empty),
    ]
    tunewright.run(conversations, **at())
    assert len(service.store.jobs) == service.count(CREATE) == 1


def test_a_job_that_was_not_created_is_asked_for_again(
    service: StandIn, conversations: Path, at: At
) -> None:
    service.quirks += [
        Quirk(CREATE, status=429, headers={"retry-after": "0.01"}),
        Quirk(CREATE, status=429),
        Quirk(CREATE, drop=True),
        Quirk(CREATE, status=500),
    ]
    tunewright.run(conversations, **at())
    assert len(service.store.jobs) == 1
    assert service.count(CREATE) == 5


def test_a_service_without_metadata_tells_the_job_by_its_file(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"message": "Unknown parameter: metadata", "param": "metadata"}
    service.quirks += [
        Quirk(CREATE, status=400, error=refused),
        Quirk(CREATE, status=500, done=True),
        Quirk(CREATE, status=400, error=refused),
    ]
    tunewright.run(conversations, **at())
    assert len(service.store.jobs) == 1
    assert "metadata" not in service.created[0]


def test_where_no_list_tells_no_second_job_is_risked(
    service: StandIn, conversations: Path, at: At
) -> None:
    service.quirks += [
        Quirk(CREATE, done=True, status=500),
        Quirk("GET /fine_tuning/jobs", status=404, times=9),
    ]
    with pytest.raises(TunewrightError, match="whether this run's was created is unknown"):
        tunewright.run(conversations, **at())
    assert service.count(CREATE) == 1


def test_a_killed_run_follows_its_job_again(
    service: StandIn, conversations: Path, at: At, tmp_path: Path
) -> None:
    service.store.script = ("queued", *("running",) * 400, "succeeded")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({**at(), "data": str(conversations)}))
    words = [sys.executable, "-m", "tunewright.cli.main", "run", str(recipe)]
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while service.count("GET /fine_tuning/jobs/ftjob-[0-9]+") < 5:
        assert run.poll() is None, run.stderr.read().decode()  # type: ignore[union-attr]
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert run.stderr is not None
    run.stderr.close()
    service.store.script = ("queued", "running", "succeeded")
    folder = run_folders()[-1]
    before = [e["id"] for e in read_lines(folder / "events.jsonl") if e["event"] == "job_event"]
    assert len(before) > 2
    done = tunewright.run(resume=folder)
    assert len(service.store.jobs) == service.count(CREATE) == 1
    told = [e["id"] for e in read_lines(folder / "events.jsonl") if e["event"] == "job_event"]
    assert told[: len(before)] == before
    assert len(set(told)) == len(told) == len(service.store.events[done.result["model"]["job"]])


def test_a_stop_leaves_the_job_as_it_is_and_says_so(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tunewright.hosting.training.follow", stopped)
        with pytest.raises(KeyboardInterrupt):
            tunewright.run(conversations, **at())
    folder = run_folders()[-1]
    assert read_state(folder)["state"] == "interrupted"
    (left,) = [e for e in read_lines(folder / "events.jsonl") if e["event"] == "job_left"]
    assert left["id"] in service.store.jobs
    tunewright.run(resume=folder)
    assert len(service.store.jobs) == 1


def test_answers_that_were_paid_for_are_not_asked_for_again(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("tunewright.hosting.evaluating.write_result", fail)
        with pytest.raises(Killed):
            tunewright.run(conversations, **at())
    asked = len(service.asked)
    assert asked > 20
    tunewright.run(resume=run_folders()[-1])
    assert len(service.asked) == asked


def test_a_recipe_that_changed_does_not_take_over_the_job(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.store.script = ("queued",)
    with pytest.raises(TunewrightError, match="waits"):
        tunewright.run(conversations, **at(service={"wait_minutes": 0.001}))
    run = run_folders()[-1]
    asked = run / "asked.yaml"
    asked.write_text(asked.read_text().replace("epochs: auto", "epochs: 9"))
    with pytest.raises(TunewrightError, match="the request of the job changed"):
        tunewright.run(resume=run)
