"""A run that is done, for the tests that ask something of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from quick_run import QUICK


@pytest.fixture(scope="session")
def done(tiny_bert: Path, tickets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is done; tests that change it take a copy."""
    import tunewright

    root = tmp_path_factory.mktemp("journey")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(root / "runs"))
        finished = tunewright.run(tickets, model=str(tiny_bert), settings=QUICK)
    return finished.folder


@pytest.fixture
def copied(done: Path) -> Path:
    root = Path(os.environ["TUNEWRIGHT_RUNS"])
    return Path(shutil.copytree(done, root / done.name))
