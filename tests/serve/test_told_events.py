"""What a run says becomes what its job says: once, in order, also when telling is interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from served import settings_in
from tunewright.serve.jobs.hosted_events import tell
from tunewright.serve.jobs.job_requests import CreateJob
from tunewright.serve.jobs.jobs import create_job
from tunewright.serve.jobs.leases import Lease, LostError, claim
from tunewright.serve.jobs.results import as_csv
from tunewright.serve.known_models import KnownModel
from tunewright.serve.store import Store, open_store
from tunewright.serve.tables import checkpoints, events, jobs, models

METHOD = {
    "type": "supervised",
    "supervised": {
        "hyperparameters": {"n_epochs": "auto", "batch_size": 2, "learning_rate_multiplier": "auto"}
    },
}
SCORES = {"loss": 0.25, "token_accuracy": 0.5}


def said(kind: str, **values: Any) -> dict[str, Any]:
    return {"event": kind, "time": 1000.5, **values}


def so_far(step: int, *losses: float, left_s: float = 0.0) -> dict[str, Any]:
    return stepped(step, *losses, left_s=left_s) | {
        "event": "steps_so_far",
        "evaluation_follows": False,
    }


def stepped(step: int, *losses: float, left_s: float = 0.0, of: int = 4) -> dict[str, Any]:
    phase = {"phase_step": step, "phase_steps": of, "evaluation_follows": True}
    return said("steps", step=step, losses=list(losses), left_s=left_s, **phase)


RUN = [
    said("prepared", left_out=1, findings=[{"code": "leak", "severity": "error", "message": "m"}]),
    said("job_plan", steps=4, tokens=99, n_epochs=2, batch_size=2),
    stepped(2, 0.9, 0.8, left_s=8.0),
    said("evaluated", step=2, best=True, scores=SCORES),
    said("model_saved", step=2),
    stepped(4, 0.7, 0.6),
    said("evaluated", step=4, best=True, scores=SCORES),
    said("model_saved", step=4),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(settings_in(tmp_path))
    yield store
    store.close()


@pytest.fixture
def lease(store: Store) -> Lease:
    body = CreateJob(model="tiny", training_file="file-1", seed=1)
    create_job(
        store,
        body,
        model=KnownModel("tiny", "tiny", "tiny", ()),
        organization="local",
        method=METHOD,
        extension={"task": "text-generation", "settings": []},
    )
    found = claim(store, ("validating_files",), "me", 60.0)
    assert found is not None
    return found[0]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    for step in (1, 2, 3, 4):
        (folder / "models" / f"step-{step}").mkdir(parents=True)
    return folder


def write(run: Path, lines: list[dict[str, Any]], torn: bytes = b"") -> None:
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    (run / "events.jsonl").write_bytes(content + torn)


def rows(store: Store, table: Any) -> list[dict[str, Any]]:
    with store.reading() as connection:
        found = connection.execute(select(table).order_by(table.c.number)).mappings()
        return [dict(row) for row in found]


def steps(store: Store) -> list[dict[str, Any]]:
    return [row["data"] for row in rows(store, events) if row["type"] == "metrics"]


def test_steps_get_what_validation_said_after_them(store: Store, lease: Lease, run: Path) -> None:
    write(run, RUN)
    assert tell(store, lease, run, is_over=True) == 4
    told = steps(store)
    assert [each["step"] for each in told] == [1, 2, 3, 4]
    assert [each["full_valid_loss"] for each in told] == [None, 0.25, None, 0.25]
    assert {each["total_steps"] for each in told} == {4}
    messages = [row["message"] for row in rows(store, events)]
    assert (
        "Step 2/4: training loss=0.80, validation loss=0.25, full validation loss=0.25" in messages
    )
    assert [row["level"] for row in rows(store, events)].count("warn") == 2
    (job,) = rows(store, jobs)
    assert job["method"]["supervised"]["hyperparameters"] == {
        "n_epochs": 2,
        "batch_size": 2,
        "learning_rate_multiplier": 1.0,
    }


def test_telling_again_from_anywhere_changes_nothing(store: Store, lease: Lease, run: Path) -> None:
    write(run, RUN)
    tell(store, lease, run, is_over=True)
    before = (rows(store, events), rows(store, checkpoints), rows(store, models))
    with store.writing() as connection:
        connection.execute(update(jobs).values(told=0))
    tell(store, lease, run, is_over=True)
    assert (rows(store, events), rows(store, checkpoints), rows(store, models)) == before


def test_every_way_to_cut_the_file_tells_the_same(store: Store, lease: Lease, run: Path) -> None:
    for count in range(len(RUN) + 1):
        write(run, RUN[:count], torn=b'{"event": "st')
        tell(store, lease, run)
    write(run, RUN)
    tell(store, lease, run, is_over=True)
    assert [each["full_valid_loss"] for each in steps(store)] == [None, 0.25, None, 0.25]
    assert [row["step"] for row in rows(store, checkpoints)] == [2, 4]
    assert rows(store, checkpoints)[0]["metrics"]["train_loss"] == 0.8


def test_a_slow_step_is_told_at_once_and_once(store: Store, lease: Lease, run: Path) -> None:
    slow = [RUN[1], so_far(1, 0.9, left_s=9.0)]
    write(run, slow)
    assert tell(store, lease, run) == 1
    assert [each["train_loss"] for each in steps(store)] == [0.9]
    assert rows(store, jobs)[0]["estimated_finish"] == 1010
    write(run, [*slow, so_far(2, 0.9, 0.8), said("model_saved", step=2)])
    assert tell(store, lease, run) == 1
    (kept,) = rows(store, checkpoints)
    assert kept["metrics"]["train_loss"] == 0.8
    write(run, [*slow, so_far(2, 0.9, 0.8), said("model_saved", step=2), *RUN[2:]])
    assert tell(store, lease, run, is_over=True) == 2
    told = [row["once"] for row in rows(store, events)]
    assert told.index("step-2") < told.index("checkpoint-2")
    assert [each["step"] for each in steps(store)] == [1, 2, 3, 4]


def test_what_validation_says_after_a_pause_comes_to_its_step_and_checkpoint(
    store: Store, lease: Lease, run: Path
) -> None:
    before = [RUN[1], RUN[2], said("model_saved", step=2)]
    write(run, before)
    tell(store, lease, run, is_over=True)
    assert steps(store)[1]["full_valid_loss"] is None
    write(run, [*before, RUN[3], said("model_saved", step=2)])
    tell(store, lease, run)
    (kept,) = rows(store, checkpoints)
    assert kept["metrics"] == steps(store)[1]
    assert kept["metrics"]["full_valid_loss"] == 0.25


@pytest.mark.parametrize(
    ("newest", "finish"),
    [
        (stepped(2, 0.9, 0.8, left_s=8.0), 1008),  # 1000.5 and 8 more
        (stepped(2, 0.9, 0.8, left_s=8.0, of=3), 1016),  # of another phase a step more
        (stepped(2, 0.9, 0.8, of=2), None),  # the next phase has no speed yet
        (stepped(4, 0.9, 0.8), 1000),
    ],
)
def test_a_job_tells_when_its_last_step_will_be_done(
    store: Store, lease: Lease, run: Path, newest: dict[str, Any], finish: int | None
) -> None:
    write(run, [RUN[1], newest, said("evaluated", step=newest["step"], best=True, scores=SCORES)])
    tell(store, lease, run)
    assert rows(store, jobs)[0]["estimated_finish"] == finish


def test_only_the_last_three_checkpoints_stay(store: Store, lease: Lease, run: Path) -> None:
    lines = [RUN[1]]
    for step in (1, 2, 3, 4):
        lines += [stepped(step, 0.5), said("model_saved", step=step)]
    write(run, lines)
    tell(store, lease, run, is_over=True)
    assert [row["step"] for row in rows(store, checkpoints)] == [2, 3, 4]
    assert [row["id"].rpartition("-")[2] for row in rows(store, models)] == ["2", "3", "4"]


def test_who_does_not_hold_the_job_tells_nothing(store: Store, lease: Lease, run: Path) -> None:
    write(run, RUN)
    with pytest.raises(LostError):
        tell(store, Lease(lease.job, lease.fence - 1), run, is_over=True)
    assert steps(store) == []
    assert rows(store, checkpoints) == []


def test_cells_without_a_number_are_empty() -> None:
    lines = as_csv([{"step": 1, "train_loss": 0.5}]).splitlines()
    assert lines == [
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy",
        "1,0.5,,,",
    ]
