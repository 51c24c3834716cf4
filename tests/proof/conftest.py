"""The proofs of "never lose work": their figures are printed when the tests are done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from figures import FIGURES
from warm import Warm


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("proven")
        for figure in FIGURES:
            terminalreporter.line(figure)


@pytest.fixture
def runs() -> Iterator[Path]:
    """A folder for runs, in memory where there is such a disk: a sync costs nothing there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small decoder with two blocks."""
    from tiny_models import write_model

    return write_model(tmp_path_factory.mktemp("models") / "tiny-llama", "llama")


@pytest.fixture(scope="session")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows of three labels: a run over them takes a fraction of a second."""
    from tiny_models import text_rows, write_csv

    return write_csv(tmp_path_factory.mktemp("data") / "few.csv", text_rows(60))


@pytest.fixture(scope="session")
def warm(few_rows: Path, tiny_bert: Path, tiny_llama: Path) -> Iterator[Warm]:
    process = Warm(few_rows, [tiny_bert, tiny_llama])
    yield process
    process.close()
