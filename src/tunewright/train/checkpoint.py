"""Checkpoints: complete or absent, newest last, the last two kept."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.durable import disk_errors, file_sha256, fsync_folder, make_folder, write_json
from tunewright.errors import RunError

if TYPE_CHECKING:
    from tunewright.backends.base import Backend
    from tunewright.train.loop import Progress

KEEP = 2
EVERY_S = 60.0


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: `checkpoints/` of the run.
        fixed: what decides the trajectory (recipe, data, base weights); kept with each
            checkpoint, and compared before resuming.
    """

    def __init__(self, folder: Path, fixed: Mapping[str, Any]) -> None:
        self.folder = folder
        self.fixed = dict(fixed)
        self._last_save = time.monotonic()
        self._resumed: Path | None = None

    def save_if_due(self, backend: Backend, progress: Progress) -> None:
        """Save when the last save is a minute ago or more."""
        if time.monotonic() - self._last_save >= EVERY_S:
            self.save(backend, progress)

    def save(self, backend: Backend, progress: Progress) -> None:
        """Write `step-N` beside its final name, hash it, and rename it into place."""
        make_folder(self.folder)
        final = self.folder / f"step-{progress.step:08d}"
        staged = self.folder / f".step-{progress.step:08d}.tmp"
        shutil.rmtree(staged, ignore_errors=True)
        try:
            with disk_errors(final):
                staged.mkdir()
                backend.save_state(staged)
            write_json(staged / "progress.json", {**progress.as_json(), "fixed": self.fixed})
            hashes = {path.name: file_sha256(path) for path in sorted(staged.iterdir())}
            write_json(staged / "manifest.json", hashes)
            shutil.rmtree(final, ignore_errors=True)
            os.replace(staged, final)
            fsync_folder(self.folder)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        for old in self._complete()[:-KEEP]:
            shutil.rmtree(old)
        self._last_save = time.monotonic()

    def resume(self) -> dict[str, Any] | None:
        """The progress in the newest whole checkpoint; None when there is none.

        Raises:
            RunError: something that decides the trajectory is not what it was.
        """
        for candidate in reversed(self._complete()):
            if not _is_whole(candidate):
                continue
            saved: dict[str, Any] = json.loads((candidate / "progress.json").read_text("utf-8"))
            self._refuse_changes(saved.pop("fixed"))
            self._resumed = candidate
            return saved
        return None

    def resumed_from(self) -> Path:
        """The folder that `resume` chose."""
        if self._resumed is None:
            raise RunError("no checkpoint was resumed", fix="start the run anew")
        return self._resumed

    def _complete(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.glob("step-*") if path.is_dir())

    def _refuse_changes(self, before: Mapping[str, Any]) -> None:
        old, new = _flat(before), _flat(self.fixed)
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                raise RunError(
                    f"{key} changed since the run stopped: {old.get(key)} before, "
                    f"{new.get(key)} now",
                    fix="undo the change, or start a new run",
                )


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested keys as one: {"recipe": {"seed": 1}} is {"recipe.seed": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _is_whole(folder: Path) -> bool:
    """Whether every file that the manifest names is there with its hash."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        return all(file_sha256(folder / name) == digest for name, digest in manifest.items())
    except (OSError, ValueError):
        return False
