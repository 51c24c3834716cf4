"""A study: its folder, and Optuna's record of its trials, which any number of workers share."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import filelock

from tunewright.durable import make_folder
from tunewright.errors import FailedRunError, RunError
from tunewright.history.folder import find_run
from tunewright.history.lock import WORKERS, is_held
from tunewright.history.state import read_state
from tunewright.recipe.schema import Recipe

JOURNAL, NEXT = "trials.journal", ".next.lock"
NAME = "tunewright"
PATIENCE_S = 300.0
FIRST_PAUSE_S = 0.5
Found = TypeVar("Found")


@dataclass(frozen=True)
class Study:
    """The record of a study. `record` is Optuna's."""

    folder: Path
    record: Any
    higher: bool

    @property
    def trials(self) -> list[Any]:
        """Every trial so far, in order; those that wait included."""
        return list(patiently(lambda: self.record.get_trials(deepcopy=False)))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Within, no other worker is given a trial."""
        with filelock.FileLock(self.folder / NEXT):
            yield

    def folder_of(self, trial: Any) -> Path:
        """Where a trial lives; the second try of one goes on in the first one's folder."""
        number = trial.user_attrs.get("goes_on", trial.number)
        return self.folder / "trials" / f"trial-{number:04d}"


def find_study(ref: str | Path) -> Path:
    """The folder of a study.

    Raises:
        RunError: there is none of that name, or it is a run.
    """
    folder = find_run(ref)
    if read_state(folder).get("kind") != "tune":
        raise RunError(
            f"{folder.name} is a run, not a search", fix="start a search: tunewright tune DATA"
        )
    return folder


def open_study(folder: Path, recipe: Recipe, *, higher: bool) -> Study:
    """Optuna's record, made if it is not there yet.

    Raises:
        RunError: the storage cannot be reached.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction: Literal["maximize", "minimize"] = "maximize" if higher else "minimize"
    try:
        record = optuna.create_study(
            storage=_storage(folder, recipe.tune.storage),
            study_name=NAME if recipe.tune.storage is None else folder.name,
            direction=direction,
            load_if_exists=True,
        )
    except Exception as error:
        if recipe.tune.storage is None:
            raise
        raise RunError(
            f"tune.storage cannot be reached: {' '.join(str(error).split())[:200]}",
            fix="check the URL, such as postgresql://user:password@host/name",
        ) from None
    return Study(folder, record, higher)


def _storage(folder: Path, url: str | None) -> Any:
    if url is not None:
        return url
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = str(folder / JOURNAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path)))


def patiently(ask: Callable[[], Found]) -> Found:
    """What a storage answers; one that goes away is waited for, some minutes.

    Raises:
        FailedRunError: it did not come back. What was trained is kept.
    """
    from optuna.exceptions import StorageInternalError

    pause, until = FIRST_PAUSE_S, time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except (StorageInternalError, OSError) as error:
            if time.monotonic() + pause > until:
                raise FailedRunError(
                    f"the storage of the search does not answer: {error}",
                    fix="once it does, go on: tunewright tune --join STUDY",
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, 30.0)


@contextlib.contextmanager
def as_worker(study: Path) -> Iterator[Callable[[], int]]:
    """Within, this process counts as a worker; what is given tells how many are on this machine."""
    folder = make_folder(study / WORKERS)
    host = socket.gethostname()
    own = folder / f"{host}-{os.getpid()}"
    lock = filelock.FileLock(own, timeout=0)
    lock.acquire()
    own.with_suffix(".json").write_text(json.dumps({"host": host, "pid": os.getpid()}))
    try:
        yield lambda: sum(is_held(path) for path in _of_host(folder, host))
    finally:
        lock.release()
        own.unlink(missing_ok=True)
        own.with_suffix(".json").unlink(missing_ok=True)


def _of_host(folder: Path, host: str) -> list[Path]:
    return [path for path in folder.glob(f"{host}-*") if path.suffix != ".json"]
