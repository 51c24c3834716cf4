"""KerasHub presets: made once into a Transformers folder in the cache, which all else reads.

Of a preset numbers and vocabularies are read. Its classes are named in a table here, and made from
the numbers of its config; nothing that it names is called.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tunewright.cache import cache_folder
from tunewright.durable import disk_errors, file_sha256, make_folder, replacing_folder, write_json
from tunewright.errors import FailedRunError, ModelError
from tunewright.pretrained.package import hold
from tunewright.pretrained.preset_families import class_arguments, family_of, transformers_config
from tunewright.pretrained.preset_rows import row_files

WEIGHTS = "model.weights.h5"
FORM = "1"  # of the folders that are made; another one makes them anew
H5 = b"\x89HDF\r\n\x1a\n"
MODULE = "tunewright.backends.keras.preset_weights"


def is_preset(folder: Path) -> bool:
    """Whether a folder's config.json was written by Keras.

    >>> is_preset(Path("no such folder"))
    False
    """
    config = _config(folder)
    return "model_type" not in config and bool({"registered_name", "class_name"} & config.keys())


def made_of(folder: Path) -> Path:
    """The folder itself; of a preset the one in the cache that Transformers reads.

    Raises:
        ModelError: the preset is of a class that is not known here, or not whole.
        FailedRunError: the disk refused.
    """
    if not is_preset(folder):
        return folder
    return _folder_of_preset(folder)


def _folder_of_preset(preset: Path) -> Path:
    config = _config(preset)
    _, family = family_of(config, preset)
    values = class_arguments(config, family, preset)
    made = transformers_config(values, family, preset)
    rows = row_files(preset, made)
    _refuse_without_weights(preset)
    place = _place(preset, (preset / "config.json", preset / WEIGHTS, *rows.read))
    make_folder(place.parent)
    with hold(place):
        if not place.is_dir():  # another process may have been quicker
            with replacing_folder(place) as staged, disk_errors(staged):
                for name, content in {"config.json": made, **rows.written}.items():
                    write_json(staged / name, content)
                for name, source in rows.copied.items():
                    shutil.copyfile(source, staged / name)
                _write_weights(preset, staged)
    return place


def _config(folder: Path) -> dict[str, Any]:
    """The content of config.json; nothing where it cannot be read."""
    try:
        found = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_without_weights(preset: Path) -> None:
    path = preset / WEIGHTS
    if not path.is_file():
        raise ModelError(
            f"the KerasHub preset {preset} has no {WEIGHTS}",
            fix="save it whole, in one file: backbone.save_to_preset(FOLDER, max_shard_size=None)",
        )
    with path.open("rb") as file:
        if file.read(len(H5)) != H5:
            raise ModelError(
                f"{path} is no HDF5 file", fix="fetch it again (from a git clone: git lfs pull)"
            )


def _place(preset: Path, files: tuple[Path, ...]) -> Path:
    hashes = [f"{path.relative_to(preset)} {file_sha256(path)}" for path in sorted(files)]
    key = hashlib.sha256("\n".join((FORM, *hashes)).encode()).hexdigest()[:16]
    return cache_folder() / "models" / f"preset-{key}"


def _write_weights(preset: Path, folder: Path) -> None:
    """In a process of its own: Keras keeps its memory and its number of threads to the end of one."""
    command = [sys.executable, "-P", "-m", MODULE, str(preset.absolute()), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return
    try:
        said = json.loads(done.stdout.splitlines()[-1])
        kind = FailedRunError if done.returncode == FailedRunError.exit_code else ModelError
        raise kind(said["what"], fix=said["fix"])
    except (ValueError, LookupError):
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise ModelError(
            f"the KerasHub preset {preset} cannot be read: {lines[-1][:300]}",
            fix="open it with keras_hub.models.Backbone.from_preset, and save it again",
        ) from None
