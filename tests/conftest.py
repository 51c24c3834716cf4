"""What every test stands on: its own runs and cache, no network, one torch thread."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def real_cache() -> None:
    """Ask for this to see the user's own model cache."""


@pytest.fixture(autouse=True)
def _isolated(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(tmp_path / "runs"))
    if "real_cache" not in request.fixturenames:
        monkeypatch.setenv("TUNEWRIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """One torch thread, also where the program would take all cores."""
    import torch

    from tunewright.backends.torch import device, predictor, session

    torch.set_num_threads(1)
    for module in (predictor, session):
        monkeypatch.setattr(module, "usable_cores", lambda: 1)
    monkeypatch.setattr(device, "MEASURE_S", 0.01)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: BERT with two random blocks, 32 wide."""
    from tiny_models import write_model

    return write_model(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 rows of three labels, told apart by the words in them."""
    from tiny_models import text_rows, write_csv

    return write_csv(tmp_path_factory.mktemp("data") / "tickets.csv", text_rows(150))


class Said(NamedTuple):
    """What one command said, and how it ended."""

    code: int
    out: str
    err: str

    def error(self) -> str:
        """The two lines of a user error; anything but them and the talk before fails the test."""
        lines = self.err.splitlines()
        assert len(lines) >= 2, self.err
        assert lines[-2].startswith("error: "), self.err
        assert lines[-1].startswith("fix: "), self.err
        assert len(lines[-2]) > 12, self.err
        assert len(lines[-1]) > 8, self.err
        strange = [line for line in lines[:-2] if not TALK.match(line)]
        assert not strange, self.err
        assert "Traceback" not in self.err + self.out
        assert "unexpected" not in lines[-2], self.err
        return f"{lines[-2]}\n{lines[-1]}"


TALK = re.compile(r"(choose|prepare|adapt|train|evaluate|test|) {2,}\S")
Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli("runs", "--json")`: the command line in this process."""
    from tunewright.cli.main import main

    def call(*words: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Said(int(caught.value.code or 0), out, err)

    return call
