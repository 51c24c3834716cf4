"""A process that has everything loaded and forks a child for every run.

A child starts in milliseconds, so that hundreds of them can be killed. It reads one JSON object a
line ({"start": arguments of `child`} or {"wait": pid}) and answers each with one number: the
child's pid, or how it ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
OPERATIONS = "operations.txt"
RESUME = ["run", "--resume", "last"]
SETTINGS = ["train.threads=1", "train.precision=fp32", "train.strategy=staged"]
SETTINGS += [
    "evaluate.resamples=100",
    "train.epochs=2",
    "evaluate.metric=log_loss",
    "train.early_stopping=0",
]
STAGED = [*SETTINGS, "adapt.dropout=0.1"]
LONGEST_S = 120.0  # of one run of a child, on a slow machine
ONE_RUN = ["train.threads=1", "train.precision=fp32", "train.epochs=1", "train.strategy=staged"]
ONE_RUN += ["evaluate.resamples=100"]


class Warm:
    """The parent's side."""

    def __init__(self, data: Path, models: list[Path]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(data), *map(str, models)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
                "TOKENIZERS_PARALLELISM": "false",  # its threads would not come along
            },
        )
        self._answer()

    def start(self, words: list[str], runs: Path, **more: Any) -> int:
        """The pid of a new process that runs `tunewright WORDS`; see `child`."""
        runs.mkdir(parents=True, exist_ok=True)
        return self._ask({"start": {"words": words, "runs": str(runs), **more}})

    def wait(self, pid: int) -> int:
        """How a process ended: its exit code, or minus the signal that killed it."""
        return self._ask({"wait": pid})

    def run(self, words: list[str], runs: Path, **more: Any) -> int:
        """Start and wait."""
        return self.wait(self.start(words, runs, **more))

    def kill(self, pid: int) -> int:
        """Kill -9."""
        os.kill(pid, signal.SIGKILL)  # not yet waited for, so the number is still its own
        return self.wait(pid)

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=30)

    def _ask(self, question: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], LONGEST_S)
        if not ready:
            self.process.kill()
            raise AssertionError(f"no answer in {LONGEST_S} s")
        return int(self.process.stdout.readline())


def said(runs: Path, pid: int) -> str:
    """What a process said."""
    return (runs / f"said-{pid}.txt").read_text()


def child(
    words: list[str],
    runs: str,
    every_s: float = 0.0,
    at_operation: int | None = None,
    fault: str = "kill",
    not_before: float = 0.0,
    signal_at: str | None = None,
    number: int = signal.SIGKILL,
) -> int:
    """One command, as its process would run it; what it says goes to a file; see `said`.

    Args:
        every_s: seconds between checkpoints. They are not removed at the end.
        at_operation, fault: what happens at the Nth operation on the disk; see `disk.Disk`.
        not_before: seconds since 1970 at which it begins.
        signal_at, number: once an event holds this text, the process gets this signal.
    """
    from disk import Disk

    from tunewright import life
    from tunewright.cli.main import main
    from tunewright.train import checkpoint

    os.environ |= {"TUNEWRIGHT_RUNS": runs, "TUNEWRIGHT_CACHE": f"{runs}/cache"}
    checkpoint.EVERY_S = every_s
    life.remove_checkpoints = lambda _: None
    if signal_at is not None:
        signal_itself(signal_at, number)
    time.sleep(max(0.0, not_before - time.time()))
    disk = Disk(at_operation, fault, beside=(OPERATIONS,))
    with (
        open(f"{runs}/said-{os.getpid()}.txt", "w") as told,
        redirect_stderr(told),
        redirect_stdout(told),
    ):
        try:
            with disk.counting():
                main(words)
        except SystemExit as end:
            Path(runs, OPERATIONS).write_text("\n".join(disk.operations))
            return int(end.code or 0)
    raise AssertionError("main exits")


def signal_itself(text: str, number: int) -> None:
    """Send this process a signal right after the first event that holds the text."""
    from tunewright.train.events import Events

    emit, sent = Events.emit, []

    def emit_and_signal(events: Events, kind: str, **values: Any) -> None:
        emit(events, kind, **values)
        if not sent and text in json.dumps({"event": kind, **values}):
            sent.append(number)
            os.kill(os.getpid(), number)

    Events.emit = emit_and_signal


def serve() -> None:
    """The child's side: load everything by running once, then fork for each request."""
    import torch

    from tunewright.backends.torch import device, predictor, session
    from tunewright.life import run

    torch.set_num_threads(1)
    for module in (predictor, session):
        vars(module)["usable_cores"] = lambda: 1
    device.MEASURE_S = 0.01
    data, *models = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"TUNEWRIGHT_RUNS": folder, "TUNEWRIGHT_CACHE": folder}
        for model in models:
            run(data, model=model, settings=[*ONE_RUN, "adapt.method=lora"])
    if find_spec("keras_hub") is not None:
        from tunewright.backends.keras.framework import start

        start(1)  # imported, and not used yet: its threads would not come along
    tell(0)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            tell(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1]))
            continue
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = child(**request["start"])
            finally:
                os._exit(code)
        tell(pid)


def tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
