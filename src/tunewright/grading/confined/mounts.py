"""A root of its own: Python and its libraries, read-only, and an empty folder to write in."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from tunewright.grading.confined import kernel
from tunewright.grading.confined.limits import MIB

OWN_FOLDER = "/tmp"  # noqa: S108 -- of the new root, where it alone is
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_PIVOT_ROOT = (155, 41)
_SET_ATTRIBUTES = 442
_NO_SUID, _NO_DEVICES, _NO_PROGRAMS = 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
_BELOW = 0x8000  # AT_RECURSIVE
_HERE = -100  # AT_FDCWD


def enter(root: Path, paths: Iterable[str], *, disk_mib: int) -> None:
    """Make a new root with these paths at their places, and move into it.

    Needs a mount namespace of this process's own.

    Args:
        root: an empty folder; the new root is mounted there.
        paths: files and folders that stay, read-only.
        disk_mib: of the folder that can be written.
    Raises:
        RefusedError: the kernel did not allow a step.
    """
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", str(root), "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=755")
    own = f"{root}{OWN_FOLDER}"
    os.makedirs(own, exist_ok=True)
    flags = _NO_SUID | _NO_DEVICES | _NO_PROGRAMS
    _mount("tmpfs", own, "tmpfs", flags, f"size={disk_mib * MIB},nr_inodes=65536,mode=700")
    for path in paths:
        _bind(path, root)
        _make_read_only(f"{root}{path}", below=True)
    for device in DEVICES:
        _bind(device, root)
    _make_read_only(str(root), below=False)
    os.chdir(root)
    kernel.call("pivot_root", _PIVOT_ROOT[kernel.machine()], b".", b".")
    kernel.named("unmounting the old root", "umount2", b".", _DETACH)
    os.chdir(OWN_FOLDER)


def _bind(path: str, root: Path) -> None:
    place = Path(f"{root}{path}")
    if os.path.isdir(path):
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    _mount(path, str(place), None, _BIND | _RECURSIVE)


def _make_read_only(path: str, *, below: bool) -> None:
    attributes = struct.pack("QQQQ", 1 | _NO_SUID | _NO_DEVICES, 0, 0, 0)
    kernel.call(
        f"making {path} read-only",
        _SET_ATTRIBUTES,
        _HERE,
        os.fsencode(path),
        _BELOW if below else 0,
        attributes,
        len(attributes),
    )


def _mount(source: str | None, place: str, kind: str | None, flags: int, more: str = "") -> None:
    kernel.named(
        f"mounting {place}",
        "mount",
        None if source is None else os.fsencode(source),
        os.fsencode(place),
        None if kind is None else kind.encode(),
        flags,
        more.encode() or None,
    )
