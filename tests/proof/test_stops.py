"""Ctrl-C and SIGTERM in any stage, and what is said when a run goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from outcomes import only_run, outcome
from warm import RESUME, STAGED, Warm, said

from tunewright.durable import read_lines
from tunewright.history.state import read_state
from tunewright.train.checkpoint import complete_checkpoints

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
STAGE = '"event": "stage"'


@pytest.fixture(scope="module")
def words(tickets: Path, tiny_bert: Path) -> list[str]:
    return ["run", str(tickets), "--model", str(tiny_bert), "--set", *STAGED]


@pytest.fixture(scope="module")
def never(words: list[str], warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run leaves behind that nothing stopped."""
    runs = tmp_path_factory.mktemp("never")
    assert warm.run(words, runs, every_s=60.0) == 0
    run = only_run(runs)
    assert run is not None
    return outcome(run)


@pytest.mark.parametrize(
    ("number", "code", "stage", "seen"),
    [
        (signal.SIGINT, 130, "train", '"name": "all layers"'),
        (signal.SIGTERM, 143, "train", '"phase": "top 1 blocks"'),
        (signal.SIGTERM, 143, "adapt", '"stage": "adapt"'),
        (signal.SIGTERM, 143, "evaluate", '"stage": "evaluate"'),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(
    number: int,
    code: int,
    stage: str,
    seen: str,
    words: list[str],
    never: dict[str, str],
    warm: Warm,
    runs: Path,
) -> None:
    place = runs / "stopped"
    pid = warm.start(words, place, every_s=60.0, signal_at=seen, number=number)
    assert warm.wait(pid) == code
    run = only_run(place)
    assert run is not None
    assert "Traceback" not in said(place, pid)
    assert "error:" not in said(place, pid)
    assert f"to go on: tunewright run --resume {run.name}" in said(place, pid)
    state = read_state(run)
    assert (state["state"], state["stage"]) == ("interrupted", stage)
    events = read_lines(run / "events.jsonl")
    before_s, begun = events[-1]["time"] - events[0]["time"], time.monotonic()
    pid = warm.start([*RESUME, "--json"], place, every_s=60.0)
    assert warm.wait(pid) == 0
    after_s = time.monotonic() - begun
    assert ("goes on at step" in said(place, pid)) == (stage != "adapt")
    assert outcome(run) == never
    wall_s = json.loads((run / "result.json").read_text())["train"]["wall_s"]
    assert before_s < wall_s < before_s + after_s
    assert read_state(run)["state"] == "done"


def killed_in_training(words: list[str], warm: Warm, runs: Path) -> Path:
    assert warm.run(words, runs, signal_at='"name": "all layers"') == -signal.SIGKILL
    run = only_run(runs)
    assert run is not None
    assert len(complete_checkpoints(run / "checkpoints")) == 2
    return run


def test_a_damaged_checkpoint_and_a_torn_line_are_told_and_do_no_harm(
    words: list[str], never: dict[str, str], warm: Warm, runs: Path
) -> None:
    run = killed_in_training(words, warm, runs / "killed")
    with (run / "events.jsonl").open("a") as events:
        events.write('{"event": "ste')
    before, newest = complete_checkpoints(run / "checkpoints")[-2:]
    content = bytearray((newest / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (newest / "weights.safetensors").write_bytes(content)
    pid = warm.start(RESUME, runs / "killed")
    assert warm.wait(pid) == 0
    told = said(runs / "killed", pid)
    assert f"checkpoint {newest.name} is damaged: it is not used" in told
    assert f"goes on at step {int(before.name[5:13])}" in told
    assert outcome(run) == never
    for line in (run / "events.jsonl").read_text().splitlines():
        json.loads(line)


def test_where_no_checkpoint_is_whole_training_begins_anew_and_says_so(
    words: list[str], warm: Warm, runs: Path
) -> None:
    run = killed_in_training(words, warm, runs)
    for checkpoint in complete_checkpoints(run / "checkpoints"):
        (checkpoint / "manifest.json").unlink()
    pid = warm.start(RESUME, runs)
    assert warm.wait(pid) == 0
    told = said(runs, pid)
    assert "no checkpoint is whole: training begins anew" in told
    assert "goes on at step" not in told
    assert outcome(run)["validation"]
