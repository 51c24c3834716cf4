"""Landlock: the files that this process may read; where namespaces are not to be had."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from tunewright.grading.confined import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every machine
_ASK_VERSION, _PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 1, 1 << 2, 1 << 3
# What each version of it can deny of files; a version denies what those before it did.
_FILE_RIGHTS = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 5: 1 << 16}
_NETWORK_SINCE, _NETWORK_RIGHTS = 4, 3
_SCOPES_SINCE, _SCOPES = 6, 3  # no abstract sockets of others, no signals to others
_NO_NEW_PRIVILEGES = 38


def allow_reading(paths: Iterable[str], *, writable: Iterable[str]) -> None:
    """From here on files can be read below these paths alone, and written nowhere else.

    Args:
        paths: files and folders.
        writable: devices that swallow what is written.
    Raises:
        RefusedError: the kernel has no Landlock.
    """
    version = kernel.call("Landlock", _CREATE, None, 0, _ASK_VERSION)
    rules = _new_rules(version)
    for path in paths:
        rights = _READ_FILE | (_READ_FOLDER if os.path.isdir(path) else 0)
        _allow(rules, path, rights)
    for path in writable:
        _allow(rules, path, _READ_FILE | _WRITE_FILE)
    kernel.named("no new privileges", "prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    kernel.call("Landlock", _RESTRICT, rules, 0)
    os.close(rules)


def _new_rules(version: int) -> int:
    files = max(bits for since, bits in _FILE_RIGHTS.items() if since <= version) - 1
    described = struct.pack("Q", files)
    if version >= _NETWORK_SINCE:
        described += struct.pack("Q", _NETWORK_RIGHTS)
    if version >= _SCOPES_SINCE:
        described += struct.pack("Q", _SCOPES)
    return kernel.call("Landlock", _CREATE, described, len(described), 0)


def _allow(rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, place)
        kernel.call(f"Landlock for {path}", _ADD, rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(place)
