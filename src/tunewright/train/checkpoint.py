"""Checkpoints: complete or absent, newest last, the last two kept.

Each also holds the best weights so far, so that these need no checkpoint of their own.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.durable import (
    as_json,
    disk_errors,
    file_sha256,
    fsync_folder,
    make_folder,
    refuse_without_room,
    write_json,
)
from tunewright.errors import ChangedError, RunError

if TYPE_CHECKING:
    from tunewright.backends.base import Backend
    from tunewright.train.loop import Progress

KEEP = 2
EVERY_S = 60.0
CHEAP_S = 1.2  # 2 % of a minute; a save that takes k times as long is made every k minutes
MANIFEST = "manifest.json"
DAMAGE = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EIO)


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: `checkpoints/` of the run.
        fixed: what decides the trajectory (recipe, data, base weights); kept with each
            checkpoint, and compared before resuming.
        at_end: whether one is saved when training is over, for what comes after it.
    """

    def __init__(self, folder: Path, fixed: Mapping[str, Any], *, at_end: bool = True) -> None:
        self.folder = folder
        self.fixed = dict(fixed)
        self.at_end = at_end
        self.broken: list[Path] = []
        self.since = self._last_save = time.monotonic()
        self._took_s = 0.0
        self._resumed: Path | None = None

    def are_due(self) -> bool:
        """Whether the last save is a minute ago; longer, where saving takes long."""
        wait_s = EVERY_S * max(1.0, self._took_s / CHEAP_S)
        return time.monotonic() - self._last_save >= wait_s

    def refuse_without_room(self, backend: Backend, model_bytes: int) -> None:
        """Before training: is there room for all checkpoints at once, and for the model?

        Raises:
            FailedRunError: there is not.
        """
        missing = max(0, KEEP + 1 - len(complete_checkpoints(self.folder)))
        needed = missing * backend.state_bytes() + model_bytes
        refuse_without_room(self.folder, needed, "checkpoints and model")

    def save(self, backend: Backend, progress: Progress) -> None:
        """Write `step-N` beside its final name, hash it, and rename it into place.

        An older checkpoint is deleted only when the new one is there and on the disk.

        Raises:
            FailedRunError: the disk refused; the checkpoints before are as they were.
        """
        started = time.monotonic()
        final = self._free_name(progress.step)
        staged = final.with_name(f".{final.name}.tmp")
        try:
            with disk_errors(final):
                make_folder(self.folder)
                refuse_without_room(self.folder, backend.state_bytes(), final.name)
                shutil.rmtree(staged, ignore_errors=True)
                staged.mkdir()
                backend.save_state(staged)
                write_json(staged / "progress.json", {**progress.as_json(), "fixed": self.fixed})
                hashes = {path.name: file_sha256(path) for path in sorted(staged.iterdir())}
                write_json(staged / MANIFEST, hashes)
                os.replace(staged, final)
                fsync_folder(self.folder)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        self._thin_out()
        self._last_save = time.monotonic()
        self._took_s = self._last_save - started

    def resume(self) -> dict[str, Any] | None:
        """The progress in the newest whole checkpoint; None when there is none.

        Those that are damaged are named in `broken`; the next save deletes them.

        Raises:
            ChangedError: something that decides the trajectory is not what it was.
        """
        for leftover in self.folder.glob(".step-*"):  # of a save that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        newest, self.broken = newest_whole(self.folder)
        if newest is None:
            return None
        saved = read_progress(newest)
        self._refuse_changes(saved.pop("fixed"))
        self._resumed = newest
        return saved

    def resumed_from(self) -> Path:
        """The folder that `resume` chose."""
        if self._resumed is None:
            raise RunError("no checkpoint was resumed", fix="start the run anew")
        return self._resumed

    def _free_name(self, step: int) -> Path:
        """A second save at one step gets a name of its own, so that none is ever overwritten."""
        plain = f"step-{step:08d}"
        there = complete_checkpoints(self.folder)
        same = [path for path in there if path.name.partition(".")[0] == plain]
        if not same:
            return self.folder / plain
        return self.folder / f"{plain}.{int(same[-1].suffix[1:] or 0) + 1:04d}"

    def _thin_out(self) -> None:
        good = [path for path in complete_checkpoints(self.folder) if path not in self.broken]
        with disk_errors(self.folder):
            for old in (*self.broken, *good[:-KEEP]):
                hidden = old.with_name(f".{old.name}.gone")
                shutil.rmtree(hidden, ignore_errors=True)
                os.rename(old, hidden)  # a kill while it is deleted leaves no half to be seen
                shutil.rmtree(hidden, ignore_errors=True)  # the next resume sweeps what is left
        self.broken = []

    def _refuse_changes(self, before: Mapping[str, Any]) -> None:
        old, new = flat(before), flat(self.fixed)
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                raise ChangedError(key, old.get(key), new.get(key), self.folder.parent)


def newest_whole(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint whose every byte is as written, and the damaged ones after it."""
    broken: list[Path] = []
    for candidate in reversed(complete_checkpoints(folder)):
        if _is_whole(candidate):
            return candidate, broken
        broken.append(candidate)
    return None, broken


def read_progress(checkpoint: Path) -> dict[str, Any]:
    """What a whole checkpoint says of where training stands, and of what was `fixed`."""
    return dict(json.loads((checkpoint / "progress.json").read_text("utf-8")))


def complete_checkpoints(folder: Path) -> list[Path]:
    """Every checkpoint that was saved to its end, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def remove_checkpoints(folder: Path) -> None:
    """Delete them all: the run is done."""
    shutil.rmtree(folder, ignore_errors=True)


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested keys as one.

    >>> flat({"recipe": {"seed": 1}})
    {'recipe.seed': 1}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found


def _is_whole(folder: Path) -> bool:
    """Whether the manifest is as written, and names every file with its hash.

    Raises:
        RunError: it cannot be read now; that is no damage.
    """
    try:
        text = (folder / MANIFEST).read_text("utf-8")
        manifest = json.loads(text)
        names = sorted(path.name for path in folder.iterdir())
        return (
            text == as_json(manifest)
            and names == sorted([*manifest, MANIFEST])
            and all(file_sha256(folder / name) == digest for name, digest in manifest.items())
        )
    except OSError as error:
        if error.errno in DAMAGE:
            return False
        raise RunError(
            f"{error.filename or folder} cannot be read: {error.strerror}",
            fix="make it readable (rights, network disk, open files), then try again",
        ) from None
    except (ValueError, TypeError, AttributeError):
        return False
