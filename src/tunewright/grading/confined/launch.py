"""Start the confined process, watch its time and its answer, and end it."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tunewright.cores import usable_cores
from tunewright.errors import TunewrightError
from tunewright.grading.confined.child import SHUT_IN
from tunewright.grading.confined.limits import Limits

LONGEST_ANSWER = 64 * 1024  # bytes
WAYS = ("namespaces", "landlock")
"""How a process is shut in, the better way first."""

_TO_END_S = 1.0  # after its answer
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from tunewright.grading.confined.child import main; sys.path.pop(0); main()"
)
_PROBE_LIMITS = Limits(wall_s=20.0, cpu_s=10, disk_mib=1)
_PROBE = """
import os, socket

def grade(sample, item):
    for forbidden in (socket.socket, os.fork, lambda: open(item["outside"]).read()):
        try:
            forbidden()
        except OSError:
            continue
        return 0.0
    return 1.0
"""
_running = threading.BoundedSemaphore(usable_cores())


class UnconfinedError(TunewrightError):
    """Python graders cannot run here: this system cannot shut them in."""


@dataclass(frozen=True)
class Returned:
    """What came of a source.

    Args:
        value: what `grade` returned; None where it failed.
        details: why it failed, or was ended.
    """

    value: float | None = None
    details: str | None = None


def run_confined(
    source: str,
    sample: Mapping[str, Any],
    item: Mapping[str, Any],
    *,
    limits: Limits | None = None,
    way: str | None = None,
) -> Returned:
    """What `grade(sample, item)` of a source returns, in a process that reaches nothing.

    Args:
        way: one of WAYS; by default the best that works here.
    Raises:
        UnconfinedError: the source was not run, as nothing here could shut it in.
    """
    asked = {"only_compile": False, "source": source, "sample": sample, "item": item}
    return _returned(asked, limits or Limits(), way or confinement())


def compiled_confined(source: str) -> str | None:
    """What is wrong with a source, which is compiled and not run.

    Raises:
        UnconfinedError: nothing here could shut it in.
    """
    asked = {"only_compile": True, "source": source}
    return _returned(asked, Limits(wall_s=10.0), confinement()).details


def _returned(asked: Mapping[str, Any], limits: Limits, way: str) -> Returned:
    with _running, _empty_folder() as root:
        request = {"way": way, "root": str(root), "limits": asdict(limits), **asked}
        answer = _answer_of(_command(way), request, limits.wall_s)
    if isinstance(answer.get("value"), int | float):
        return Returned(value=float(answer["value"]))
    return Returned(details=str(answer.get("failed", "it gave no answer")))


def confinement() -> str:
    """The best of WAYS that works here, tried once.

    Raises:
        UnconfinedError: none does.
    """
    found, reasons = _tried()
    if found is None:
        raise _unconfined("; ".join(reasons))
    return found


@cache
def _tried() -> tuple[str | None, tuple[str, ...]]:
    reasons = []
    with tempfile.NamedTemporaryFile(prefix="tunewright-outside-") as outside:
        for way in WAYS:
            try:
                found = run_confined(
                    _PROBE, {}, {"outside": outside.name}, limits=_PROBE_LIMITS, way=way
                )
            except UnconfinedError as error:
                reasons.append(f"{way}: {error.what}")
                continue
            if found.value == 1.0:
                return way, ()
            reasons.append(f"{way}: {found.details or 'what is forbidden was possible'}")
    return None, tuple(reasons)


def _command(way: str) -> list[str]:
    home = str(Path(__file__).resolve().parents[3])
    python = [sys.executable, "-I", "-c", _START, home]
    if way != "namespaces":
        return python
    unshare = shutil.which("unshare")
    if unshare is None:
        raise _unconfined("the program unshare is not installed")
    spaces = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts"]
    return [unshare, *spaces, "--fork", "--kill-child", "--", *python]


def _answer_of(command: list[str], request: Mapping[str, Any], wall_s: float) -> dict[str, Any]:
    """The child's answer, or what ended it where it gave none.

    Raises:
        UnconfinedError: it did not come to be shut in.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as complaints:
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={"PATH": os.defpath, "HOME": "/", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise _unconfined(str(error)) from None
        try:
            data, late = _read(process, time.monotonic() + wall_s)
            if not late:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_TO_END_S)
        finally:
            process.kill()
            code = process.wait()
        shut_in, _, said = data.partition(b"\n")
        if shut_in != SHUT_IN and not late:
            complaints.seek(0)
            why = shut_in or complaints.read(500)
            raise _unconfined(why.decode(errors="replace").strip() or f"exit code {code}")
    if late:
        return {"failed": f"it took longer than {wall_s:g} seconds"}
    if len(data) > LONGEST_ANSWER:
        return {"failed": "its answer is too long"}
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"failed": f"it ended with exit code {code}"}


def _read(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bool]:
    """What it wrote, up to a byte more than is allowed; and whether its time was over."""
    data = b""
    assert process.stdout is not None  # noqa: S101 -- it was opened as a pipe
    with process.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(data) <= LONGEST_ANSWER:
            if not selector.select(max(0.0, until - time.monotonic())):
                return data, True
            chunk = os.read(pipe.fileno(), LONGEST_ANSWER)
            if not chunk:
                break
            data += chunk
    return data, False


@contextmanager
def _empty_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tunewright-grader-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unconfined(why: str) -> UnconfinedError:
    return UnconfinedError(
        f"a Python grader is not run here, as it could not be shut in: {why}",
        fix="run it on Linux with user namespaces (unshare) or Landlock (Linux 5.13), "
        "or take another grader",
    )
