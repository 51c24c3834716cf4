"""The process that a Python grader runs in: it shuts itself in, and then runs the source."""

from __future__ import annotations

import json
import math
import os
import struct
import sys
import traceback
import types
from pathlib import Path
from typing import Any

from tunewright.grading.confined import kernel, landlock, mounts, seccomp
from tunewright.grading.confined.limits import Limits, limit_this_process

SOURCE_NAME = "grader.py"
SHUT_IN = b"shut in"
"""The first line of the answer, before anything of the source is looked at."""
LONGEST_DETAILS = 4000  # characters
_LIBRARIES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
)
_CAPSET = (126, 91)
_CAPABILITIES_VERSION = 0x2008_0522
_PARENT_DEATH_SIGNAL, _SIGKILL = 1, 9


def main() -> None:
    """Read a request from standard input, and write what came of it to standard output."""
    asked = json.load(sys.stdin.buffer)
    answers = _leave_standard_streams()
    try:
        confine(asked["way"], Limits(**asked["limits"]), Path(asked["root"]))
    except (kernel.RefusedError, OSError, ValueError) as error:
        os.write(answers, str(error).encode())
        os._exit(1)
    os.write(answers, SHUT_IN + b"\n")
    if asked["only_compile"]:
        _answer(answers, compiled(asked["source"]))
    _answer(answers, graded(asked["source"], asked["sample"], asked["item"]))


def confine(way: str, limits: Limits, root: Path) -> None:
    """Shut this process in: by namespaces that it is in already, or by Landlock.

    Raises:
        RefusedError: the kernel did not allow a step; nothing may be run.
    """
    kernel.named("ending with the parent", "prctl", _PARENT_DEATH_SIGNAL, _SIGKILL, 0, 0, 0)
    paths = readable_paths()
    if way == "namespaces":
        mounts.enter(root, paths, disk_mib=limits.disk_mib)
    limit_this_process(limits, may_write=way == "namespaces")
    if way == "landlock":
        os.chdir("/")
        landlock.allow_reading(paths, writable=mounts.DEVICES)
    _drop_capabilities()
    seccomp.forbid()


def readable_paths() -> list[str]:
    """Where this Python and its libraries are; none lies within another."""
    prefixes = tuple({os.path.join(each, "") for each in (sys.prefix, sys.base_prefix)})
    found = [path for path in sys.path if path.startswith(prefixes)]
    found += [os.path.join(each, "lib") for each in (sys.prefix, sys.base_prefix)]
    paths: list[str] = []
    for path in sorted({*found, *_LIBRARIES}):
        if os.path.exists(path) and not any(path.startswith(f"{each}/") for each in paths):
            paths.append(path)
    return paths


def graded(source: str, sample: Any, item: Any) -> dict[str, Any]:
    """What `grade` of a source returns for an answer, or what it failed with."""
    module = types.ModuleType("grader")
    sys.modules["grader"] = module
    try:
        exec(compile(source, SOURCE_NAME, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 -- confined
        grade = module.__dict__.get("grade")
        if not callable(grade):
            return {"failed": "the source defines no function 'grade(sample, item)'"}
        value = grade(sample, item)
    except BaseException:  # noqa: BLE001 -- whatever it is, it is the source's
        return {"failed": _details()}
    return _number(value)


def compiled(source: str) -> dict[str, Any]:
    """What the compiler says to a source; also it can be made to crash."""
    try:
        compile(source, SOURCE_NAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        return {"failed": f"line {error.lineno}: {error.msg}"}
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"failed": str(error) or type(error).__name__}
    return {"value": 0.0}


def _number(value: Any) -> dict[str, Any]:
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)
    except BaseException:  # noqa: BLE001 -- a value may be an object of the source's own
        number = math.nan
    if math.isfinite(number):
        return {"value": number}
    return {"failed": f"grade returned a {type(value).__name__} that is no finite number"}


def _details() -> str:
    """The end of the trace, from the source's own lines on."""
    kind, error, trace = sys.exc_info()
    while trace is not None and trace.tb_frame.f_code.co_filename != SOURCE_NAME:
        trace = trace.tb_next
    told = "".join(traceback.format_exception(kind, error, trace, limit=-10))
    return told[-LONGEST_DETAILS:].strip()


def _leave_standard_streams() -> int:
    """Where the answer goes; what the source prints goes nowhere."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    return answers


def _answer(answers: int, found: dict[str, Any]) -> None:
    """Say it and end, with nothing of the source run at the end."""
    data = json.dumps(found).encode()
    while data:
        data = data[os.write(answers, data) :]
    os._exit(0)


def _drop_capabilities() -> None:
    header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
    kernel.call("dropping capabilities", _CAPSET[kernel.machine()], header, bytes(24))
