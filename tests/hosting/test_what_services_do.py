"""What hosted services do besides what their description says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunewright
from openai_service import Quirk, StandIn
from tunewright.durable import read_lines
from tunewright.errors import FailedRunError, TunewrightError
from tunewright.history.folder import run_folders
from tunewright.history.state import read_state

At = Callable[..., dict[str, Any]]
Cli = Callable[..., Any]
LOOK = "GET /fine_tuning/jobs/ftjob-[0-9]+"


def kinds(folder: Path) -> list[str]:
    return [each["event"] for each in read_lines(folder / "events.jsonl")]


@pytest.mark.parametrize(
    "quirk",
    [
        Quirk(LOOK, status=429, headers={"retry-after": "0.02"}),
        Quirk(LOOK, status=429, times=3),
        Quirk(LOOK, status=500, times=3),
        Quirk(LOOK, status=503, body={"detail": "busy"}),
        Quirk(LOOK, drop=True, times=2),
        Quirk(".*/events", status=502),
        Quirk("GET /files/.*/content", status=500),
        Quirk("POST /files", status=429),
        Quirk("POST /chat/completions", status=429, times=5),
        Quirk("POST /chat/completions", drop=True),
    ],
    ids=lambda quirk: f"{quirk.of} {'no answer' if quirk.drop else quirk.status}",
)
def test_what_passes_is_waited_out(
    quirk: Quirk, service: StandIn, conversations: Path, at: At
) -> None:
    service.quirks.append(quirk)
    done = tunewright.run(conversations, **at())
    assert done.result["verdict"]["better_than_baseline"]
    assert quirk.times == 0
    assert ("service_waits" in kinds(done.folder)) == ("chat" not in quirk.of)
    assert len(service.store.jobs) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"null_errors": False},
        {"base64_results": False},
        {"has_more": False},
        {"has_more": False, "honours_after": False},
        {"shuffled": True},
        {"script": ("running", "succeeded")},
        {"script": ("validating_files", "running", "pausing", "paused", "queued", "succeeded")},
        {"script": ("creating_checkpoint", "succeeded")},
        {"script": ("queued", *("running",) * 130, "succeeded")},
    ],
    ids=str,
)
def test_other_forms_of_the_same_come_to_the_same(
    settings: dict[str, Any], service: StandIn, conversations: Path, at: At
) -> None:
    for name, value in settings.items():
        setattr(service.store, name, value)
    done = tunewright.run(conversations, **at())
    events = read_lines(done.folder / "events.jsonl")
    told = [each["id"] for each in events if each["event"] == "job_event"]
    job = done.result["model"]["job"]
    assert sorted(told) == sorted(each["id"] for each in service.store.events[job])
    assert (done.folder / "service" / "results.csv").read_text().startswith("step,train_loss")
    steps = [each["step"] for each in events if each["event"] == "steps"]
    assert steps == sorted(set(steps))


def test_events_that_come_late_and_out_of_order_are_each_told_once(
    service: StandIn, conversations: Path, at: At
) -> None:
    service.store.shuffled = True
    done = tunewright.run(conversations, **at())
    job_id = done.result["model"]["job"]
    told = [e["id"] for e in read_lines(done.folder / "events.jsonl") if e["event"] == "job_event"]
    assert len(told) == len(set(told)) == len(service.store.events[job_id])


def test_a_job_that_is_stuck_says_so_and_stops_the_run_in_time(
    service: StandIn, conversations: Path, at: At, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.store.script = ("queued",)
    with pytest.raises(TunewrightError, match="waits \\(queued\\)") as stopped:
        tunewright.run(conversations, **at(service={"wait_minutes": 0.005}))
    assert "the job itself goes on" in stopped.value.what
    folder = run_folders()[-1]
    events = read_lines(folder / "events.jsonl")
    (state,) = [each for each in events if each["event"] == "job_state"]
    assert (state["status"], "waits_until" in state) == ("queued", True)
    assert read_state(folder)["state"] == "failed"
    service.store.script = ("queued", "running", "succeeded")
    said = cli("run", "--resume", folder.name)
    assert said.code == 0, said.err
    assert len(service.store.jobs) == 1


def test_a_paused_job_stops_the_run_in_time(service: StandIn, conversations: Path, at: At) -> None:
    service.store.script = ("running", "paused")
    with pytest.raises(TunewrightError, match="is paused"):
        tunewright.run(conversations, **at(service={"wait_minutes": 0.005}))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": "invalid_n_examples", "message": "has 7", "param": "training_file"}, "has 7"),
        ({"code": None, "message": None, "param": None}, "no reason was given"),
        (None, "no reason was given"),
    ],
)
def test_a_job_that_fails_says_why(
    error: Any, said: str, service: StandIn, conversations: Path, at: At
) -> None:
    service.store.script, service.store.failure = ("running", "failed"), error
    with pytest.raises(FailedRunError, match=said):
        tunewright.run(conversations, **at())
    folder = run_folders()[-1]
    assert said in (folder / "report.html").read_text()
    assert read_state(folder)["state"] == "failed"


def test_a_cancelled_job_ends_the_run(service: StandIn, conversations: Path, at: At) -> None:
    service.store.script = ("running", "cancelled")
    with pytest.raises(FailedRunError, match="was cancelled"):
        tunewright.run(conversations, **at())


def test_a_service_that_winds_down_is_told_in_two_lines(
    service: StandIn, conversations: Path, cli: Cli
) -> None:
    error = {
        "message": "OpenAI is winding down the fine-tuning platform and your organization is no "
        "longer able to create new fine-tuning training jobs.",
        "code": "training_not_available",
    }
    service.quirks.append(Quirk("POST /fine_tuning/jobs", status=403, error=error))
    said = cli(
        *("run", conversations, "--model", "tiny-model-1", "--backend", "openai"),
        *("--service.preset", "generic", "--service.base_url", service.url),
        *("--service.key", "STAND_IN_KEY", "--service.poll_s", "0.01"),
    )
    assert said.code == 2
    what, fix = said.error().splitlines()
    assert "does not train any more for this account" in what
    assert "backend: torch" in fix
    assert "tunewright serve" in fix
    assert service.count("POST /fine_tuning/jobs") == 1


OTHER_TASK = {
    "message": "Model minilm is not available for fine-tuning with the task text-generation",
    "code": "model_not_available",
    "param": "model",
}


def test_a_model_of_another_task_is_told_and_its_files_are_taken_back(
    service: StandIn, conversations: Path, at: At
) -> None:
    service.quirks.append(Quirk("POST /fine_tuning/jobs", status=400, error=OTHER_TASK))
    with pytest.raises(TunewrightError, match="has this model for another task") as refused:
        tunewright.run(conversations, **at())
    assert "such as smollm2" in refused.value.fix
    assert service.store.files == {}
    told = [e for e in read_lines(run_folders()[-1] / "events.jsonl") if e["event"] == "taken_back"]
    assert [(each["part"], each["left"]) for each in told] == [
        ("train", None),
        ("validation", None),
    ]


def test_a_model_that_is_not_there_is_told_before_anything_is_sent(
    service: StandIn, conversations: Path, at: At
) -> None:
    absent = {"message": "The model 'tiny' does not exist", "code": "model_not_found"}
    service.quirks.append(Quirk("GET /models/.*", status=404, error=absent))
    with pytest.raises(TunewrightError, match="has no such model for training"):
        tunewright.run(conversations, **at())
    assert service.count("POST .*") == 0


def test_files_that_cannot_be_taken_back_are_named(
    service: StandIn, conversations: Path, at: At, cli: Cli
) -> None:
    service.quirks.append(Quirk("POST /fine_tuning/jobs", status=400, error=OTHER_TASK))
    service.quirks.append(Quirk("DELETE /files/.*", status=500, times=2))
    said = cli(
        *("run", conversations, "--model", "tiny-model-1", "--backend", "openai"),
        *("--service.preset", "generic", "--service.base_url", service.url),
        *("--service.key", "STAND_IN_KEY", "--service.poll_s", "0.01"),
    )
    assert said.code == 2
    assert all(f"{each} (" in said.err + said.out for each in service.store.files)
    assert "delete it there" in said.err + said.out
    assert len(service.store.files) == 2


def test_a_job_that_is_only_put_off_keeps_its_files(
    service: StandIn, conversations: Path, at: At
) -> None:
    full = {"message": "maximum of 4 requests per day", "code": "daily_rate_limit_exceeded"}
    service.quirks.append(Quirk("POST /fine_tuning/jobs", status=429, error=full, times=9))
    with pytest.raises(TunewrightError):
        tunewright.run(conversations, **at())
    assert len(service.store.files) == 2


def test_a_model_that_is_not_there_yet_is_waited_for(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.backends.openai.writer.THERE_PAUSE_S", 0.01)
    gone = {"message": "The model does not exist", "code": "model_not_found"}
    service.quirks.append(Quirk("POST /chat/completions", status=404, error=gone, times=3))
    assert tunewright.run(conversations, **at()).result["verdict"]["better_than_baseline"]


def test_a_quota_is_not_waited_for(service: StandIn, conversations: Path, at: At) -> None:
    full = {"message": "maximum of 4 requests per day", "code": "daily_rate_limit_exceeded"}
    service.quirks.append(Quirk("POST /fine_tuning/jobs", status=429, error=full, times=9))
    with pytest.raises(TunewrightError, match="daily_rate_limit_exceeded"):
        tunewright.run(conversations, **at())
    assert service.count("POST /fine_tuning/jobs") == 1


def test_a_wrong_key_is_told(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_KEY", "wrong-key-1234")
    said = {"message": "Incorrect API key provided: wrong-key-1234"}  # some repeat it
    service.quirks.append(Quirk("POST /files", status=401, error=said))
    with pytest.raises(TunewrightError, match="does not know the key") as refused:
        tunewright.run(conversations, **at())
    assert "wrong-key-1234" not in str(refused.value)


def test_a_file_that_the_service_refuses_is_told(
    service: StandIn, conversations: Path, at: At
) -> None:
    bad = {"id": "file-1", "filename": "x", "status": "error", "status_details": "line 3 is bad"}
    service.quirks.append(Quirk("POST /files", status=200, body=bad))
    with pytest.raises(TunewrightError, match="line 3 is bad"):
        tunewright.run(conversations, **at())
    assert service.count("POST /fine_tuning/jobs") == 0
