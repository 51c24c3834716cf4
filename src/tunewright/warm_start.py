"""A new run from the weights of another: for when one cannot be resumed, or should not be."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import open_session
from tunewright.data.rows import Rows
from tunewright.durable import replacing_folder
from tunewright.errors import ModelError, RunError
from tunewright.history.lock import lock_run
from tunewright.history.state import STATE_FILE, read_state
from tunewright.pretrained.catalog import resolve_model
from tunewright.recipe.schema import READS, Recipe
from tunewright.recipe.write import from_resolved
from tunewright.train.checkpoint import newest_whole, read_progress


def with_weights_of_run(recipe: Recipe) -> Recipe:
    """The recipe as it is; where its model is a run folder, with that run's best weights.

    Raises:
        RunError: that run is not done, and another process holds it or it has no checkpoint.
    """
    run = Path(recipe.model).expanduser().absolute()
    if not (run / STATE_FILE).is_file():
        return recipe
    if read_state(run)["state"] == "done":
        model = run / "model"
    else:
        with lock_run(run):
            model = _model_of_checkpoint(run)
    return recipe.model_copy(update={"model": str(model)})


def _model_of_checkpoint(run: Path) -> Path:
    """A model folder with the best weights of the newest checkpoint."""
    checkpoint, _ = newest_whole(run / "checkpoints")
    if checkpoint is None:
        raise RunError(
            f"run {run.name} is not done, and has no whole checkpoint",
            fix="start from the model that it started from",
        )
    folder = run / f"model-at-{checkpoint.name}"
    if not folder.is_dir():
        with replacing_folder(folder) as staged:
            _write_model(run, checkpoint, staged)
    return folder


def _write_model(run: Path, checkpoint: Path, folder: Path) -> None:
    """By the recipe that the checkpoint was made with: the run's files may have changed since."""
    fixed = read_progress(checkpoint)["fixed"]
    recipe = from_resolved(fixed["recipe"])
    source = resolve_model(recipe.model, revision=recipe.revision)
    if source.sha256 != fixed["model"]:
        raise ModelError(
            f"{recipe.model} is not what run {run.name} was trained from",
            fix="restore it, or start from another model",
        )
    reads = READS[recipe.task]
    with tempfile.TemporaryDirectory() as scratch:
        texts = ["text" if reads == "text" else _blank_picture(Path(scratch) / "blank.png")]
        row = Rows(texts, None, None, ["0"], "no file", np.zeros(1, dtype=np.int64))
        rows: dict[str, Any] = {
            part: (row, np.zeros(1, dtype=np.int64)) for part in ("train", "validation")
        }
        session = open_session(recipe, source.path, reads)
        backend = session.open(recipe, tuple(fixed["labels"]), rows)
    backend.load_weights(checkpoint)
    backend.restore_best()
    backend.save_model(folder)


def _blank_picture(path: Path) -> str:
    from PIL import Image

    Image.new("RGB", (32, 32)).save(path)
    return str(path)
