"""Takes a run's model away in another form, proved on real rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunewright.durable import make_folder, replacing_folder
from tunewright.errors import RunError
from tunewright.history.lock import lock_run
from tunewright.judging import done_run, prepared_as_then

FORMS = ("keras", "savedmodel", "tflite")
ROWS = 32


@dataclass(frozen=True)
class Exported:
    """Where it lies, the rows it was compared on, and the largest difference of a score there."""

    folder: Path
    rows: int
    apart: float


def export(run: str | Path, to: str, out: str | Path) -> Exported:
    """Write the model of a run as a Keras file, a TensorFlow SavedModel or a TensorFlow Lite file.

    Args:
        to: keras, savedmodel or tflite.
        out: a folder that is not there yet.
    Raises:
        RunError: no such form, or the folder is there. ModelError: the answers differ.
    """
    if to not in FORMS:
        raise RunError(f"there is no form '{to}'", fix=f"forms: {', '.join(FORMS)}")
    place = Path(out).expanduser().absolute()
    if place.exists():
        raise RunError(f"{place} is there already", fix="name a folder that is not there yet")
    folder, recipe = done_run(run)
    with lock_run(folder):
        rows = prepared_as_then(folder, recipe).validation
    some = rows.take(np.arange(min(ROWS, len(rows))))
    from tunewright.backends.keras.export import export as write

    make_folder(place.parent)
    with replacing_folder(place) as staged:
        apart = write(folder / "model", to, staged, some.texts, some.pairs)
    return Exported(place, len(some), apart)
