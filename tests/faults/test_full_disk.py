"""The disk refuses, at every place where a run writes: two lines, exit 1, and the truth."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from tunewright import durable
from tunewright.train.checkpoint import Checkpoints

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
QUICK = ["train.threads=1", "train.precision=fp32", "train.epochs=2", "train.strategy=staged"]
QUICK += ["evaluate.resamples=100"]


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_in_rust(*_: object, **__: object) -> None:
    raise SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def words(tickets: Path, tiny_bert: Path) -> list[object]:
    return ["run", tickets, "--model", tiny_bert, "--set", *QUICK]


def the_run() -> Path:
    root = Path(os.environ["TUNEWRIGHT_RUNS"])
    return next(path for path in root.iterdir() if (path / "run.json").exists())


def failed(said: Any, cli: Cli, stage: str) -> None:
    assert said.code == 1, said.err
    assert "disk is full" in said.error()
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["state"] in ("failed", "interrupted")
    assert row["stage"] == stage


@pytest.mark.parametrize("refuse", [full, full_in_rust], ids=["in Python", "in Rust"])
def test_while_a_checkpoint_is_saved(
    refuse: Any, tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = []
    save = Checkpoints.save

    def one_fails(self: Checkpoints, *args: Any) -> None:
        saves.append(1)
        if len(saves) == 3:
            patch.setattr("tunewright.backends.torch.state.save_file", refuse)
        save(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
        patch.setattr(Checkpoints, "save", one_fails)
        failed(cli(*words(tickets, tiny_bert)), cli, "train")
    kept = sorted(path.name for path in (the_run() / "checkpoints").iterdir())
    assert len(kept) == 2
    assert all(name.startswith("step-") for name in kept)


def test_and_the_run_goes_on_once_there_is_space(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = []
    save = Checkpoints.save

    def one_fails(self: Checkpoints, *args: Any) -> None:
        saves.append(1)
        if len(saves) == 2:
            with durable.disk_errors("step-2"):
                full()
        save(self, *args)

    monkeypatch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", one_fails)
        failed(cli(*words(tickets, tiny_bert)), cli, "train")
    said = cli("run", "--resume", "last")
    assert said.code == 0, said.err
    assert "goes on at step" in said.err
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["state"] == "done"


@pytest.mark.parametrize("refuse", [full, full_in_rust], ids=["in Python", "in Rust"])
def test_while_the_model_is_saved(
    refuse: Any, tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("transformers.PreTrainedModel.save_pretrained", refuse)
        failed(cli(*words(tickets, tiny_bert)), cli, "train")
    assert not (the_run() / "model").exists()
    assert cli("run", "--resume", "last").code == 0
    assert (the_run() / "model" / "model.safetensors").exists()
    assert not (the_run() / ".model.tmp").exists()


FILES = {
    "findings.json": "prepare",
    "splits.csv": "prepare",
    "sealed.arrow": "prepare",
    "seal.json": "prepare",
    "recipe.yaml": "adapt",
    "suspects.json": "adapt",
    "result.json": "evaluate",
    "report.json": "evaluate",
    "report.html": "evaluate",
    "README.md": "evaluate",
}


@pytest.mark.parametrize("name", FILES)
def test_while_a_file_is_written(
    name: str, tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def refuse(source: Any, target: Any) -> None:
        if Path(target).name == name:
            full()
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("tunewright.durable.os.replace", refuse)
        said = cli(*words(tickets, tiny_bert))
    failed(said, cli, FILES[name])
    assert name in said.err
    assert not list(the_run().rglob("*.tmp"))
    said = cli("run", "--resume", "last")
    assert said.code == 0, said.err


@pytest.mark.parametrize("kind", ["stage", "prepared", "adapted", "steps", "verdict"])
def test_while_an_event_is_written(
    kind: str, tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.train.events import Events

    emit = Events.emit

    def refuse(self: Events, event: str, **values: Any) -> None:
        if event == kind:
            with durable.disk_errors(self._path):
                full()
        emit(self, event, **values)

    with monkeypatch.context() as patch:
        patch.setattr(Events, "emit", refuse)
        said = cli(*words(tickets, tiny_bert))
    assert said.code == 1
    assert "events.jsonl" in said.error()
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["state"] == "failed"


def test_nothing_can_be_written_at_all(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tunewright.durable.os.fsync", full)
        said = cli(*words(tickets, tiny_bert))
    assert said.code == 1
    assert "disk is full" in said.error()
    assert json.loads(cli("runs", "--json").out) == []


def test_a_look_that_cannot_be_written_down_is_not_taken(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*words(tickets, tiny_bert)).code == 0
    judged: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr("tunewright.data.seal.append_line", full)
        patch.setattr("tunewright.judging.judge_part", lambda *args: judged.append(args))
        said = cli("test", "last")
    assert said.code == 1
    assert "disk is full" in said.error()
    assert judged == []
    (row,) = json.loads(cli("runs", "--json").out)
    assert row["state"] == "done"
    assert row["test"] is None


def test_a_result_that_cannot_be_written_after_a_look_leaves_the_look_counted(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*words(tickets, tiny_bert)).code == 0
    with monkeypatch.context() as patch:
        patch.setattr("tunewright.judging.write_result", lambda *_: disk_full())
        assert cli("test", "last").code == 1
    said = cli("test", "last", "--json")
    assert json.loads(said.out)["test"]["looks"] == 2


def disk_full() -> None:
    with durable.disk_errors("result.json"):
        full()
