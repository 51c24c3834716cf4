"""Two processes want one run: exactly one trains, and the other is told why it does not."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from figures import prove
from outcomes import only_run
from warm import OPERATIONS, RESUME, Warm, said

from tunewright.durable import read_lines

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
SETTINGS = ["train.threads=1", "train.precision=fp32", "evaluate.resamples=100"]
SETTINGS += ["train.strategy=staged", "train.epochs=1", "train.batch_size=21"]


def one_trains(warm: Warm, place: Path) -> bool:
    """Two processes, started for the same moment."""
    begin = time.time() + 0.05
    pids = [warm.start(RESUME, place, not_before=begin) for _ in range(2)]
    codes = {warm.wait(pid): pid for pid in pids}
    run = only_run(place)
    assert run is not None
    resumed = [e for e in read_lines(run / "events.jsonl") if e["event"] == "resumed"]
    if set(codes) != {0, 2} or len(resumed) != 1:
        print(codes, [said(place, pid) for pid in pids])
        return False
    told = said(place, codes[2])
    print(told)
    held = (f"is held by process {codes[0]} on", "held by another process", "is done already")
    return any(words in told for words in held)  # done: it came when the other had ended


@pytest.mark.parametrize("count", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_exactly_one_of_two_processes_trains(
    count: int, warm: Warm, few_rows: Path, tiny_bert: Path, runs: Path
) -> None:
    """The run was killed before, so that its lock and its holder's name are stale."""
    words = ["run", str(few_rows), "--model", str(tiny_bert), "--set", *SETTINGS]
    assert warm.run(words, runs / "never") == 0
    operations = (runs / "never" / OPERATIONS).read_text().splitlines()
    saves = [at for at, name in enumerate(operations) if name.startswith("replace step-")]
    warm.run(words, runs / "killed", at_operation=saves[2])
    killed = only_run(runs / "killed")
    assert killed is not None
    assert (killed / ".lock.json").exists()
    good = 0
    for number in range(count):
        place = runs / str(number)
        shutil.copytree(killed, place / killed.name)
        good += one_trains(warm, place)
        shutil.rmtree(place)
    prove("races of two processes: exactly one trained", good, count)
