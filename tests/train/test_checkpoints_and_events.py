"""Checkpoints are complete or absent; events survive a kill; resumed equals never stopped."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from training import StopAt, make_loop, make_plan, open_backend, phase, train
from tunewright.durable import read_lines
from tunewright.errors import FailedRunError, RunError
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.events import Events
from tunewright.train.interrupt import Interrupted
from tunewright.train.loop import Progress

pytestmark = pytest.mark.usefixtures("one_thread")
FIXED = {"data": "d", "model": "m", "recipe": {"seed": 0, "train": {"learning_rate": 1e-3}}}


class OneFile:
    """A backend whose whole state is one small file."""

    def __init__(self, content: str = "weights") -> None:
        self.content = content

    def state_bytes(self) -> int:
        return 1000

    def save_state(self, folder: Path) -> None:
        (folder / "weights.safetensors").write_text(self.content)


def save(folder: Path, *steps: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, FIXED)
    for step in steps:
        checkpoints.save(OneFile(f"at {step}"), Progress(step=step, phase_step=step))
    return checkpoints


def test_the_last_two_checkpoints_are_kept_and_the_newest_is_resumed(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    again = Checkpoints(tmp_path, FIXED)
    saved = again.resume()
    assert saved is not None
    assert Progress.from_json(saved).step == 3
    assert again.resumed_from().name == "step-00000003"


@pytest.mark.parametrize(
    "harm",
    ["flip a byte", "cut", "remove a file", "no manifest", "manifest is not JSON", "progress"],
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, harm: str) -> None:
    save(tmp_path, 1, 2)
    newest = tmp_path / "step-00000002"
    weights_file, manifest = newest / "weights.safetensors", newest / "manifest.json"
    if harm == "flip a byte":
        weights_file.write_text("at 3")
    elif harm == "cut":
        weights_file.write_text("a")
    elif harm == "remove a file":
        weights_file.unlink()
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "manifest is not JSON":
        manifest.write_text('{"weights.safetensors": ')
    else:
        (newest / "progress.json").write_text("{}")
    saved = Checkpoints(tmp_path, FIXED).resume()
    assert saved is not None
    assert saved["step"] == 1


def test_without_a_whole_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none", FIXED).resume() is None
    save(tmp_path, 1)
    (tmp_path / "step-00000001" / "manifest.json").unlink()
    (tmp_path / ".step-00000009.tmp").mkdir()
    assert Checkpoints(tmp_path, FIXED).resume() is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_save_that_fails_leaves_no_half_and_keeps_the_one_before(
    tmp_path: Path, number: int
) -> None:
    checkpoints = save(tmp_path, 1)

    class Full(OneFile):
        def save_state(self, folder: Path) -> None:
            super().save_state(folder)
            raise OSError(number, "no")

    with pytest.raises(FailedRunError, match="step-00000002"):
        checkpoints.save(Full(), Progress(step=2))
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    saved = Checkpoints(tmp_path, FIXED).resume()
    assert saved is not None
    assert saved["step"] == 1


def test_a_save_that_has_no_room_says_so_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = save(tmp_path, 1)
    monkeypatch.setattr("tunewright.durable.free_room", lambda _: 999)
    with pytest.raises(FailedRunError, match="no room for step-00000002") as caught:
        checkpoints.save(OneFile(), Progress(step=2))
    assert "free some space" in caught.value.fix
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]


@pytest.mark.parametrize(("kept", "free"), [(0, 3007), (1, 2007), (2, 1007)])
def test_a_training_that_will_have_no_room_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, free: int
) -> None:
    """Room is needed for two checkpoints, a third being written, and the model."""
    checkpoints = save(tmp_path, *range(kept))
    monkeypatch.setattr("tunewright.durable.free_room", lambda _: free)
    checkpoints.refuse_without_room(OneFile(), 7)
    with pytest.raises(FailedRunError, match="no room for checkpoints and model"):
        checkpoints.refuse_without_room(OneFile(), 8)


def test_a_second_save_at_one_step_overwrites_nothing(tmp_path: Path) -> None:
    save(tmp_path, 1, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000001", "step-00000001.0001"]
    save(tmp_path, 1, 1)
    again = Checkpoints(tmp_path, FIXED)
    assert again.resume() is not None
    assert again.resumed_from().name == "step-00000001.0003"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EMFILE])
def test_what_cannot_be_read_just_now_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    save(tmp_path, 1, 2)

    def refuse(_: Path) -> str:
        raise OSError(number, os.strerror(number), "weights.safetensors")

    with monkeypatch.context() as patch:
        patch.setattr("tunewright.train.checkpoint.file_sha256", refuse)
        with pytest.raises(RunError, match=r"weights\.safetensors cannot be read"):
            Checkpoints(tmp_path, FIXED).resume()
    saved = Checkpoints(tmp_path, FIXED).resume()
    assert saved is not None
    assert saved["step"] == 2


def test_saves_that_take_long_are_made_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("tunewright.train.checkpoint.time.monotonic", lambda: now)
    checkpoints = Checkpoints(tmp_path, FIXED)

    class Slow(OneFile):
        def save_state(self, folder: Path) -> None:
            nonlocal now
            super().save_state(folder)
            now += 6.0

    now = 60.0
    assert checkpoints.are_due()
    checkpoints.save(Slow(), Progress(step=1))
    now += 299.0
    assert not checkpoints.are_due()
    now += 1.0
    assert checkpoints.are_due()


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", "weights.safetensors")

    save(tmp_path, 1)
    monkeypatch.setattr("tunewright.train.checkpoint.file_sha256", refuse)
    with pytest.raises(RunError, match=r"weights\.safetensors cannot be read: Permission denied"):
        Checkpoints(tmp_path, FIXED).resume()


# ---- what is said of a training that was stopped (that it equals one never stopped: contract/)


def test_the_seconds_of_a_phase_count_those_before_a_stop(tiny_bert: Path, tmp_path: Path) -> None:
    backend = open_backend(tiny_bert)
    with pytest.raises(Interrupted):
        train(backend, PLAN, tmp_path, stop=StopAt(backend, 4))
    loop = make_loop(open_backend(tiny_bert), PLAN, tmp_path)
    saved = loop.checkpoints.resume()
    assert saved is not None
    assert saved["phase_s"] > 0
    loop.backend.load_state(loop.checkpoints.resumed_from())
    progress = loop.run(Progress.from_json(saved | {"phase_s": 100.0}))
    loop.events.close()
    assert [record["wall_s"] > 100 for record in progress.records] == [False, True, False]


PLAN = make_plan(phase(0, epochs=0), phase(1, epochs=1), phase(2, epochs=2))


def test_a_run_stopped_when_its_patience_was_at_an_end_takes_no_step_more(
    tiny_bert: Path, tmp_path: Path
) -> None:
    plan = make_plan(phase(2, epochs=5, patience=1), metric="m", higher_is_better=True)
    worse = {"measure": lambda _: {"m": 0.0, "accuracy": 0.0}}
    backend = open_backend(tiny_bert)
    with pytest.raises(Interrupted):
        train(backend, plan, tmp_path, stop=StopAt(backend, 6), **worse)
    loop = make_loop(open_backend(tiny_bert), plan, tmp_path, **worse)
    saved = loop.checkpoints.resume()
    assert saved is not None
    loop.backend.load_state(loop.checkpoints.resumed_from())
    assert loop.run(Progress.from_json(saved)).step == 6
    loop.events.close()


# ---- events


def test_events_survive_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = Events(path)
    events.emit("one", value="ä")
    events.close()
    with path.open("a") as file:
        file.write('{"event": "tor')
    assert [event["event"] for event in read_lines(path)] == ["one"]
    events = Events(path)
    events.emit("two")
    events.close()
    assert [event["event"] for event in read_lines(path)] == ["one", "two"]
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())


def test_a_file_that_is_one_torn_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"ev')
    events = Events(path)
    events.emit("one")
    events.close()
    assert [event["event"] for event in read_lines(path)] == ["one"]


def test_an_event_is_in_the_file_before_the_listeners_hear_of_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    heard: list[int] = []
    events = Events(path, (lambda event: heard.append(len(read_lines(path))),))
    events.emit("one")
    events.emit("two")
    events.close()
    assert heard == [1, 2]


def test_a_full_disk_is_a_user_error_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = Events(path)
    events.emit("one")

    class Full:
        def __init__(self, file: object) -> None:
            self.file, self.first = file, True

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            if self.first:
                self.first = False
                return self.file.write(data[:5])
            raise OSError(errno.ENOSPC, "full")

    events._file = Full(events._file)
    with pytest.raises(FailedRunError, match="disk is full"):
        events.emit("two")
    events.close()
    assert [event["event"] for event in read_lines(path)] == ["one"]
    assert path.read_bytes().endswith(b"\n")
