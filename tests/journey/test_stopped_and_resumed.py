"""A run that is stopped, by a key, by a scheduler or by a power cut, and then goes on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tunewright.durable import read_lines

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]
Cli = Callable[..., Any]
EPOCHS = 40
SETTINGS = [
    *("train.threads=1", "train.precision=fp32", "evaluate.resamples=100"),
    *(f"train.epochs={EPOCHS}", "train.early_stopping=0", "adapt.dropout=0.1"),
    *("train.learning_rate=1e-4", "evaluate.metric=log_loss"),
]
SHORT = "train.epochs=12"
PROGRAM = """
import sys
from tunewright.train import checkpoint
checkpoint.EVERY_S = 0.1
from tunewright.cli.main import main
main(sys.argv[1:])
"""


def words(data: Path, model: Path) -> list[str]:
    return ["run", str(data), "--model", str(model), "--set", *SETTINGS]


@pytest.fixture(scope="module")
def never_stopped(
    tiny_bert: Path, tickets: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Hashes of the weights, and of what was measured, of a run in one go."""
    import tunewright

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(tmp_path_factory.mktemp("never") / "runs"))
        return answers(tunewright.run(tickets, model=str(tiny_bert), settings=SETTINGS).folder)


def answers(run: Path) -> dict[str, str]:
    result = json.loads((run / "result.json").read_text())
    return {
        "weights": sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest(),
        "validation": json.dumps(result["validation"]),
        "best": result["train"]["best_step"],
    }


def the_run() -> Path:
    root = Path(os.environ["TUNEWRIGHT_RUNS"])
    return next(path for path in root.iterdir() if (path / "run.json").exists())


def start(data: Path, model: Path, *settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words(data, model), *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"ended too early: {process.stderr.read() if process.stderr else ''}")
        try:
            if happened():
                return
        except (OSError, StopIteration):
            pass
        time.sleep(0.02)
    process.kill()
    pytest.fail("it never came so far")


def trains_all_layers() -> bool:
    return '"name": "all layers"' in (the_run() / "events.jsonl").read_text()


def has_checkpoints() -> bool:
    return len(list((the_run() / "checkpoints").glob("step-*"))) >= 2 and trains_all_layers()


def state() -> tuple[str, str]:
    from tunewright.history.index import list_runs

    (row,) = list_runs()
    return row["state"], row["stage"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(
    number: int,
    code: int,
    tickets: Path,
    tiny_bert: Path,
    never_stopped: dict[str, str],
    cli: Cli,
) -> None:
    process = start(tickets, tiny_bert)
    wait_for(trains_all_layers, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    assert state() == ("interrupted", "train")
    assert not (the_run() / "model").exists()
    assert list((the_run() / "checkpoints").glob("step-*"))
    events = read_lines(the_run() / "events.jsonl")
    took = events[-1]["time"] - events[0]["time"]
    begun = time.monotonic()
    said = cli("run", "--resume", "last", "--json")
    assert said.code == 0, said.err
    assert "goes on at step" in said.err
    assert took < json.loads(said.out)["train"]["wall_s"] < took + time.monotonic() - begun
    assert answers(the_run()) == never_stopped
    assert state() == ("done", "evaluate")
    assert not (the_run() / "checkpoints").exists()


def test_a_killed_run_goes_on_from_its_checkpoint(
    tickets: Path, tiny_bert: Path, never_stopped: dict[str, str], cli: Cli
) -> None:
    process = start(tickets, tiny_bert)
    wait_for(has_checkpoints, process)
    process.kill()
    process.communicate(timeout=30)
    assert state() == ("interrupted", "train")
    with (the_run() / "events.jsonl").open("a") as events:  # as if the kill had cut a line
        events.write('{"event": "ste')
    newest = max((the_run() / "checkpoints").glob("step-*"))
    content = bytearray((newest / "weights.safetensors").read_bytes())
    content[-1] ^= 255  # and the disk had lost a bit
    (newest / "weights.safetensors").write_bytes(content)
    said = cli("run", "--resume", "last", "--json")
    assert said.code == 0, said.err
    assert f"goes on at step {int(newest.name[5:])}" not in said.err
    assert "goes on at step" in said.err
    assert answers(the_run()) == never_stopped
    for line in (the_run() / "events.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_run_that_another_process_holds_is_not_resumed(
    tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    process = start(tickets, tiny_bert)
    wait_for(trains_all_layers, process)
    try:
        said = cli("run", "--resume", "last")
        assert said.code == 2
        assert f"held by process {process.pid}" in said.error()
        assert state() == ("running", "train")
        said = cli("runs", "remove", "last")
        assert said.code == 2
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_a_recipe_or_data_that_changed_is_refused_by_name(
    tiny_bert: Path, tickets: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tunewright.train.checkpoint import Checkpoints
    from tunewright.train.interrupt import Interrupted

    def stop(*_: object) -> None:
        raise Interrupted(signal.SIGINT)

    data = tmp_path / "t.csv"
    data.write_text(tickets.read_text())
    short = ["run", data, "--model", tiny_bert, "--set", *SETTINGS, "train.epochs=3"]
    with monkeypatch.context() as patch:
        save = Checkpoints.save
        patch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
        patch.setattr(Checkpoints, "save", lambda *a: (save(*a), stop()))
        assert cli(*short).code == 130
    asked = the_run() / "asked.yaml"
    before = asked.read_text()
    asked.write_text(before.replace("label_smoothing: 0.0", "label_smoothing: 0.1"))
    said = cli("run", "--resume", "last")
    assert said.code == 2
    assert "recipe.train.label_smoothing changed" in said.error()
    asked.write_text(before)
    data.write_text(tickets.read_text() + "a new row about a parcel,shipping\n")
    said = cli("run", "--resume", "last")
    assert said.code == 2
    said.error()
    data.write_text(tickets.read_text())
    assert cli("run", "--resume", "last").code == 0


def test_the_precision_measured_at_the_start_is_kept_when_resuming(
    tiny_bert: Path, tickets: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.backends.torch.session import TorchSession
    from tunewright.train.checkpoint import Checkpoints
    from tunewright.train.interrupt import Interrupted

    def stop(*_: object) -> None:
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        save = Checkpoints.save
        patch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
        patch.setattr(Checkpoints, "save", lambda *a: (save(*a), stop()))
        patch.setattr(TorchSession, "choose_precision", lambda _: ("fp32", "measured"))
        said = cli("run", tickets, "--model", tiny_bert, "--set", "evaluate.resamples=100")
        assert said.code == 143
    monkeypatch.setattr(TorchSession, "choose_precision", lambda _: ("bf16", "measured"))
    monkeypatch.setattr(TorchSession, "choose_threads", lambda _: (2, "measured"))
    said = cli("run", "--resume", "last")
    assert said.code == 0, said.err
    assert "precision: fp32" in (the_run() / "recipe.yaml").read_text()


@pytest.fixture(scope="module")
def short_run(
    tiny_bert: Path, tickets: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], int]:
    """What a short run answers when nothing stops it, and how many events it has."""
    import tunewright

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(tmp_path_factory.mktemp("short") / "runs"))
        settings = [*SETTINGS, SHORT]
        run = tunewright.run(tickets, model=str(tiny_bert), settings=settings).folder
        return answers(run), len(read_lines(run / "events.jsonl"))


def wait_for_events(count: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            if len(read_lines(the_run() / "events.jsonl")) >= count:
                return
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_killed_at_any_moment_and_resumed_equals_one_never_stopped(
    seed: int,
    tickets: Path,
    tiny_bert: Path,
    short_run: tuple[dict[str, str], int],
    cli: Cli,
) -> None:
    """The moment is a while after one of the run's events, both drawn by seed."""
    expected, num_events = short_run
    draw = random.Random(seed)
    process = start(tickets, tiny_bert, SHORT)
    wait_for_events(draw.randrange(1, num_events), process)
    time.sleep(draw.uniform(0, 0.05))
    process.kill()
    process.communicate(timeout=30)
    if state()[0] != "done":
        said = cli("run", "--resume", "last")
        assert said.code == 0, said.err
    assert answers(the_run()) == expected
    assert state() == ("done", "evaluate")
