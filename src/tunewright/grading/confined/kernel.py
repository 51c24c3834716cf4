"""Calls to Linux that Python has no name for."""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from typing import Any

NUMBERS = {"x86_64": 0, "aarch64": 1}
"""Machines whose call numbers are known, and the column of theirs."""


class RefusedError(Exception):
    """The kernel did not do what confinement needs.

    Args:
        what: the step, and the kernel's reason.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def machine() -> int:
    """The column of this machine in a table of call numbers.

    Raises:
        RefusedError: its numbers are not known.
    """
    name = platform.machine()
    if name not in NUMBERS:
        raise RefusedError(f"no call numbers are known for {name}")
    return NUMBERS[name]


def call(step: str, number: int, *arguments: Any) -> int:
    """What a system call returns.

    Raises:
        RefusedError: it failed; `step` says what was tried.
    """
    done = int(libc().syscall(ctypes.c_long(number), *map(_as_argument, arguments)))
    return _checked(step, done)


def named(step: str, function: str, *arguments: Any) -> int:
    """What a function of the C library returns.

    Raises:
        RefusedError: it failed.
    """
    return _checked(step, int(getattr(libc(), function)(*map(_as_argument, arguments))))


@cache
def libc() -> Any:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


def _as_argument(value: Any) -> Any:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(step: str, done: int) -> int:
    if done < 0:
        raise RefusedError(f"{step}: {os.strerror(ctypes.get_errno())}")
    return done
