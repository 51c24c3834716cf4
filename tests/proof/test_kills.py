"""Kill -9 at any moment: what the resumed run leaves behind is that of one never stopped."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from figures import prove
from outcomes import only_run, outcome
from warm import RESUME, SETTINGS, STAGED, Warm, said

from tiny_chats import chats, preferences, write_chat_model, write_lines
from tunewright.history.state import read_state

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
LORA = [*SETTINGS, "adapt.method=lora", "adapt.adapter_dropout=0.1"]
KERAS = [*STAGED, "backend=keras"]
WRITTEN = ["train.threads=1", "train.precision=fp32", "train.epochs=3", "train.early_stopping=0"]
WRITTEN += ["adapt.layers=top-1", "adapt.adapter_dropout=0.1", "evaluate.answers=2"]
WRITTEN += ["evaluate.resamples=100", "evaluate.most_tokens=4"]
NEEDS_KERAS = pytest.mark.skipif(
    find_spec("keras_hub") is None, reason="needs the extra tensorflow"
)
ROWS = {"chats": chats, "preferences": preferences}
EVERY_S = 0.03
AGAIN = 0.3  # share of the resumed runs that are killed once more


def killed(warm: Warm, words: list[str], runs: Path, after_s: float) -> bool:
    """Start a run and kill it; whether that came in time, and there is a run to resume."""
    pid = warm.start(words, runs, every_s=EVERY_S)
    time.sleep(after_s)
    if warm.kill(pid) != -9:
        return False
    run = only_run(runs)
    return run is not None and read_state(run)["state"] != "done"


def trial(
    warm: Warm, words: list[str], runs: Path, draw: random.Random, took_s: float
) -> tuple[Path, str]:
    """One run, killed at least once and resumed to its end; and the stage of the first kill."""
    after_s = draw.uniform(0.02, 0.95) * took_s
    while not killed(warm, words, runs, after_s):
        shutil.rmtree(runs)
        after_s = draw.uniform(0.02, 0.95) * took_s
    run = only_run(runs)
    assert run is not None
    stage = str(read_state(run)["stage"])
    while draw.random() < AGAIN:
        killed(warm, RESUME, runs, draw.uniform(0.02, 0.95) * took_s)
    if read_state(run)["state"] != "done":
        pid = warm.start(RESUME, runs, every_s=EVERY_S)
        assert warm.wait(pid) == 0, said(runs, pid)
    return run, stage


@pytest.fixture
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """The rows and the model of a case."""

    def fixtures(name: str) -> tuple[Path, Path]:
        if name in ROWS:
            model = write_chat_model(tmp_path / "chats")
            return write_lines(tmp_path / "rows.jsonl", ROWS[name](60)), model
        model = request.getfixturevalue("tiny_llama" if name == "LoRA" else "tiny_bert")
        return request.getfixturevalue("tickets"), model

    return fixtures


@pytest.mark.parametrize(
    ("name", "settings", "count"),
    [
        ("staged", STAGED, 5),
        pytest.param("staged", STAGED, 200, marks=pytest.mark.slow),
        pytest.param("LoRA", LORA, 50, marks=pytest.mark.slow),
        pytest.param("chats", WRITTEN, 50, marks=pytest.mark.slow),
        pytest.param("preferences", WRITTEN, 50, marks=pytest.mark.slow),
        pytest.param("Keras", KERAS, 50, marks=[pytest.mark.slow, NEEDS_KERAS]),
    ],
)
def test_killed_at_any_moment_and_resumed_equals_never_stopped(
    name: str,
    settings: list[str],
    count: int,
    asked: Callable[[str], tuple[Path, Path]],
    warm: Warm,
    runs: Path,
) -> None:
    rows, model = asked(name)
    words = ["run", str(rows), "--model", str(model), "--set", *settings]
    started = time.monotonic()
    assert warm.run(words, runs / "never", every_s=EVERY_S) == 0
    took_s = time.monotonic() - started
    never = only_run(runs / "never")
    assert never is not None
    assert '"cached": true' in (never / "events.jsonl").read_text()
    expected = outcome(never)
    same, stages = 0, Counter[str]()
    for seed in range(count):
        run, stage = trial(warm, words, runs / str(seed), random.Random(f"{name} {seed}"), took_s)
        found = outcome(run)
        same += found == expected
        if found != expected:
            print(seed, stage, [key for key in expected if found.get(key) != expected[key]])
        stages[stage] += 1
        shutil.rmtree(runs / str(seed))
    moments = ", ".join(f"{stage} {number}" for stage, number in stages.most_common())
    prove(f"runs killed and resumed are identical: {name} (killed in: {moments})", same, count)
