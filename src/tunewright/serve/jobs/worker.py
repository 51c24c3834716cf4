"""The worker: takes jobs one after the other, looks at their files, and lets a process train them.

It may be killed at any moment. The process that trains stops with it, its lease runs out, and the
next worker goes on from the newest checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tunewright.errors import TunewrightError
from tunewright.history.lock import is_held
from tunewright.history.state import read_state
from tunewright.serve.answers import ApiError
from tunewright.serve.files import stored_files
from tunewright.serve.files.training_files import Flaw, find_flaw
from tunewright.serve.jobs.hosted_events import tell, without_paths
from tunewright.serve.jobs.job_recipes import PARTS, begin_run, folder_of
from tunewright.serve.jobs.jobs import add_event
from tunewright.serve.jobs.leases import Lease, LostError, claim, release, renew, write
from tunewright.serve.jobs.results import succeed
from tunewright.serve.known_models import find_known
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Row, Store
from tunewright.serve.tables import jobs

TICK_S = 0.2
MOST_CRASHES = 3
STOP_S = 120.0
"""How long a process may take to write its checkpoint when it is asked to stop."""
_log = logging.getLogger("tunewright.serve.jobs.worker")


@dataclass
class Training:
    """A job whose process runs."""

    lease: Lease
    job: Row
    run: Path
    process: subprocess.Popen[bytes]
    asked_to_stop: bool = False


class Worker:
    """One at a time; several workers, also on other machines, share the store and the folders."""

    def __init__(self, settings: ServeSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._name = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._held: dict[str, Lease] = {}
        self._training: Training | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then what trains is stopped with a checkpoint."""
        beating = threading.Thread(target=self._beat, args=(stop,), daemon=True)
        beating.start()
        try:
            while not stop.is_set():
                if not self.turn():
                    stop.wait(TICK_S)
        finally:
            self._leave()

    def turn(self) -> bool:
        """Do what is there to do; whether there was something that may go on at once."""
        try:
            if self._training is not None:
                self._look_after(self._training)
            looked = self._look_at_files()
            started = self._training is None and self._start_next()
            return looked or started
        except LostError:
            self._let_go()
            return True

    # ---- files

    def _look_at_files(self) -> bool:
        found = claim(self._store, ("validating_files",), self._name, self._settings.lease_s)
        if found is None:
            return False
        lease, job = found
        self._held[lease.job] = lease
        try:
            flaw = self._flaw_of(job)
            with self._store.writing() as connection:
                if flaw is None:
                    release(connection, lease, status="queued")
                    told = "Files validated, moving job to queued state"
                    add_event(connection, lease.job, "validated", told)
                else:
                    _fail(connection, lease, flaw)
        except LostError:
            _log.info("%s was ended while its files were looked at", lease.job)
        finally:
            self._held.pop(lease.job, None)
        return True

    def _flaw_of(self, job: Row) -> Flaw | None:
        for param in PARTS:
            if job[param] is None:
                continue
            try:
                file = stored_files.find(self._settings, self._store, job[param], param=param)
                path = stored_files.path_of(self._settings, file)
                flaw = find_flaw(path, job["extension"]["task"], param=param)
            except ApiError as error:
                flaw = Flaw(error.code or f"invalid_{param}", error.message, param)
            except (OSError, ValueError):
                flaw = Flaw(f"invalid_{param}", f"File {job[param]} cannot be read", param)
            if flaw is not None:
                return flaw
        return None

    # ---- training

    def _start_next(self) -> bool:
        found = claim(self._store, ("queued", "running"), self._name, self._settings.lease_s)
        if found is None:
            return False
        lease, job = found
        self._held[lease.job] = lease
        if is_held_run(folder_of(job)):  # a process of a worker that is gone still saves
            self._give_back(lease, wait_s=2.0)
            return False
        if job["wanted"] == "pause":
            self._end_pause(lease)
            return True
        try:
            run = begin_run(job, self._model_of(job), self._files_of(job))
        except (TunewrightError, ApiError, OSError) as error:
            with self._store.writing() as connection:
                _fail(connection, lease, _flaw_of_start(error))
            self._held.pop(lease.job, None)
            return True
        with self._store.writing() as connection:
            write(connection, lease, status="running", run=str(run))
            add_event(connection, lease.job, "started", "Fine-tuning job started")
        self._training = Training(lease, job, run, start_process(run))
        return True

    def _model_of(self, job: Row) -> str:
        return find_known(self._settings, self._store, job["model"]).source

    def _files_of(self, job: Row) -> dict[str, Path]:
        """The job's files, or the run's own copies of those that were deleted."""
        found = {}
        for param in PARTS:
            if job[param] is not None:
                row = {"id": job[param], "purpose": "fine-tune"}
                found[param] = stored_files.path_of(self._settings, row)
        return found

    def _look_after(self, training: Training) -> None:
        code = training.process.poll()
        tell(self._store, training.lease, training.run, is_over=code is not None)
        if code is None:
            if not training.asked_to_stop and self._wanted(training) == "pause":
                training.asked_to_stop = True
                training.process.terminate()
            return
        self._training = None
        self._held.pop(training.lease.job, None)
        _end(training.process, wait_s=0.0)
        self._ended(training, code)

    def _wanted(self, training: Training) -> str:
        with self._store.reading() as connection:
            query = select(jobs.c.wanted, jobs.c.fence).where(jobs.c.id == training.lease.job)
            wanted, fence = connection.execute(query).one()
        if fence != training.lease.fence:
            raise LostError(training.lease.job)
        return str(wanted)

    def _ended(self, training: Training, code: int) -> None:
        lease = training.lease
        if code == 0:
            succeed(self._settings, self._store, lease, training.run)
        elif code in (128 + signal.SIGTERM, 128 + signal.SIGINT):
            if self._wanted(training) == "pause":
                self._end_pause(lease)
            else:
                self._give_back(lease)
        elif is_held_run(training.run):  # one that a dead worker left behind was faster
            self._give_back(lease, wait_s=2.0)
        elif code in (1, 2):
            with self._store.writing() as connection:
                _fail(connection, lease, _flaw_of_run(training.run, code))
        else:
            self._crashed(training, code)

    def _end_pause(self, lease: Lease) -> None:
        with self._store.writing() as connection:
            release(connection, lease, status="paused", estimated_finish=None)
            number = int(time.time() * 1000)
            add_event(connection, lease.job, f"paused-{number}", "Fine-tuning job paused")
        self._held.pop(lease.job, None)

    def _crashed(self, training: Training, code: int) -> None:
        """Once more from the newest checkpoint; the third time without a step between is the last."""
        with self._store.writing() as connection:
            query = select(jobs.c.crashes).where(jobs.c.id == training.lease.job)
            crashes = int(connection.execute(query).scalar() or 0) + 1
            told = f"The process that trained ended with {_how(code)}"
            if crashes < MOST_CRASHES:
                name = f"crash-{int(time.time() * 1000)}"
                more = f"{told}; going on from its newest checkpoint"
                add_event(connection, training.lease.job, name, more, level="warn")
                release(connection, training.lease, crashes=crashes, wait_s=1.0)
            else:
                message = f"The job failed due to an internal error: {told}, {crashes} times"
                _fail(connection, training.lease, Flaw("server_error", message, "model"))

    def _give_back(self, lease: Lease, *, wait_s: float = 0.0) -> None:
        self._held.pop(lease.job, None)
        with self._store.writing() as connection, contextlib.suppress(LostError):
            release(connection, lease, wait_s=wait_s)

    def _let_go(self) -> None:
        """The job ended or is another's: what trains it here is of no more use."""
        training, self._training = self._training, None
        if training is not None:
            self._held.pop(training.lease.job, None)
            _end(training.process, wait_s=0.0)

    def _leave(self) -> None:
        training, self._training = self._training, None
        if training is None:
            return
        _end(training.process, wait_s=STOP_S)
        with contextlib.suppress(LostError):
            code = training.process.returncode
            tell(self._store, training.lease, training.run, is_over=True)
            self._ended(training, code)

    def _beat(self, stop: threading.Event) -> None:
        """Renew what is held, also while files are read; a job that is lost is not trained on."""
        while not stop.wait(min(self._settings.lease_s / 4, 5.0)):
            for lease in list(self._held.values()):
                try:
                    renew(self._store, lease, self._settings.lease_s)
                except LostError:
                    self._held.pop(lease.job, None)
                    training = self._training
                    if training is not None and training.lease == lease:
                        training.process.kill()
                except Exception:  # noqa: BLE001 -- a database that is away for a while: the lease decides
                    _log.exception("the lease of %s was not renewed", lease.job)


def start_process(run: Path) -> subprocess.Popen[bytes]:
    """Train a run in a process of its own, which ends when this one does."""
    with (run / "job.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tunewright.serve.jobs.job_process", str(run)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is the worker's to answer
        )


def _end(process: subprocess.Popen[bytes], *, wait_s: float) -> None:
    """See a process off: asked, if there is time, then killed; nothing of it is left."""
    if wait_s:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def is_held_run(run: Path) -> bool:
    """Whether a process trains this run now."""
    return run.is_dir() and is_held(run / ".lock")


def _fail(connection: Any, lease: Lease, flaw: Flaw) -> None:
    now = int(time.time())
    release(
        connection,
        lease,
        status="failed",
        finished_at=now,
        estimated_finish=None,
        error=flaw.as_error(),
    )
    add_event(connection, lease.job, "failed", flaw.message, level="error")


def _flaw_of_start(error: Exception) -> Flaw:
    """Why a job could not even begin."""
    if isinstance(error, ApiError):
        return Flaw(error.code or "invalid_request", error.message, error.param or "model")
    if isinstance(error, TunewrightError):
        return Flaw("model_not_available", f"{error.what}; {error.fix}", "model")
    told = "A file of the job was deleted before it began"
    return Flaw("invalid_training_file", told, "training_file")


def _flaw_of_run(run: Path, code: int) -> Flaw:
    """What run.json says of how it ended."""
    told = without_paths(str(read_state(run).get("error") or "its run's job.log says why"), run)
    if code == 2:
        message = f"The job failed due to an invalid training file. {told}"
        return Flaw("invalid_training_file", message, "training_file")
    return Flaw("training_failed", f"The job failed while it trained: {told}", "training_file")


def _how(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"{name} (out of memory, perhaps)" if name == "SIGKILL" else name
    return f"exit code {code}"
