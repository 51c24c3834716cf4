"""What a run asks of the disk, counted; at the Nth operation it is killed, or the disk refuses."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CALLS = ("replace", "rename", "fsync", "mkdir", "unlink", "rmdir")
KILLED = 99


class Disk:
    """Counts operations on the disk.

    Args:
        at: number of the operation, from 0, at which the fault happens; None for never.
        fault: "kill" before the operation, "half" for a kill with a half of a write done (of
            other operations, after them), or the name of an error, such as ENOSPC.
        beside: names of files that do not count.
    """

    def __init__(self, at: int | None, fault: str, beside: tuple[str, ...] = ()) -> None:
        self.at, self.fault, self.beside = at, fault, beside
        self.operations: list[str] = []

    @contextmanager
    def counting(self) -> Iterator[Disk]:
        """Within, every operation of this process is counted."""
        from safetensors import torch as safetensors_torch

        from tunewright.backends.torch import state

        kept = [(os, name, getattr(os, name)) for name in CALLS]
        kept += [(io, "open", io.open), (state, "save_file", safetensors_torch.save_file)]
        for place, name, call in kept:
            wrapped = {"open": self._open, "save_file": self._save_file}.get(name, self._call)
            setattr(place, name, wrapped(name, call))
        try:
            yield self
        finally:
            for place, name, call in kept:
                setattr(place, name, call)

    def happens(self, what: str, half: Callable[[], object]) -> None:
        """One operation is about to be done; `half` does a half of it."""
        number = len(self.operations)
        self.operations.append(what)
        if number != self.at:
            return
        if self.fault == "half":
            half()
        if self.fault in ("kill", "half"):
            os._exit(KILLED)
        code = getattr(errno, self.fault)
        raise OSError(code, os.strerror(code))

    def _call(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **more: Any) -> Any:
            if name == "mkdir" and os.path.isdir(args[0]):
                return call(*args, **more)  # nothing is asked of the disk
            if name == "fsync":
                self.happens(name, lambda: call(*args))
                return call(*args)
            place = Path(args[1 if name in ("replace", "rename") else 0]).name
            self.happens(f"{name} {place}", lambda: call(*args, **more))
            return call(*args, **more)

        return counted

    def _open(self, _: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
            name = file if isinstance(file, int) else Path(file).name
            opened = call(file, mode, *args, **more)
            if not set("wax+") & set(mode) or name in self.beside:
                return opened
            return _Counted(self, opened, str(name))

        return counted

    def _save_file(self, _: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(tensors: Any, path: Any) -> None:
            def half() -> None:
                call(tensors, path)
                os.truncate(path, os.path.getsize(path) // 2)

            self.happens(f"write {Path(path).name}", half)
            call(tensors, path)

        return counted


class _Counted:
    """A file whose writes are counted."""

    def __init__(self, disk: Disk, file: Any, name: str) -> None:
        self.disk, self.file, self.name = disk, file, name

    def write(self, data: Any) -> Any:
        def half() -> None:
            self.file.write(data[: len(data) // 2])
            self.file.flush()

        self.disk.happens(f"write {self.name}", half)
        return self.file.write(data)

    def __enter__(self) -> _Counted:
        self.file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.file.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
