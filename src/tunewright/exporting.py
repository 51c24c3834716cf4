"""Takes a run's model away in another form, proved on real rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunewright.backends.served import is_served
from tunewright.durable import disk_errors, make_folder, replacing_folder
from tunewright.errors import RunError
from tunewright.export.gguf import QUANTIZATIONS, Quantization, write_gguf
from tunewright.history.lock import lock_run
from tunewright.judging import done_run, prepared_as_then
from tunewright.recipe.schema import READS

FORMS = ("keras", "savedmodel", "tflite", "gguf")
ROWS = 32


@dataclass(frozen=True)
class Exported:
    """Where it lies, and how near its answers are to those of the run's model.

    Args:
        rows: validation rows, or for a model that writes text prompts, that both answered.
        apart: the largest difference of a score there.
        same: of a model that writes text, the share of places where the likeliest token is the same.
    """

    folder: Path
    rows: int
    apart: float
    same: float | None = None


def export(
    run: str | Path, to: str, out: str | Path, *, quantization: str | None = None
) -> Exported:
    """Write the model of a run as Keras, TensorFlow SavedModel, TensorFlow Lite or GGUF file.

    Args:
        to: keras, savedmodel, tflite or gguf.
        out: a folder that is not there yet.
        quantization: of gguf, f16 (without a wish) or q8_0.
    Raises:
        RunError: no such form, or the folder is there. ModelError: the answers differ.
    """
    if to not in FORMS:
        raise RunError(f"there is no form '{to}'", fix=f"forms: {', '.join(FORMS)}")
    kept = _quantization(to, quantization)
    place = Path(out).expanduser().absolute()
    if place.exists():
        raise RunError(f"{place} is there already", fix="name a folder that is not there yet")
    folder, recipe = done_run(run)
    if is_served(folder / "model"):
        raise RunError(
            f"the weights of run {folder.name} are at a service, which does not give them away",
            fix="train an open model here: tunewright run RECIPE --backend torch --model smollm2",
        )
    if READS[recipe.task] in ("chat", "preference") and to != "gguf":
        raise RunError(
            f"the model of run {folder.name} writes text, and {to} is for models that give labels",
            fix=f"tunewright export {folder.name} DIR --to gguf; for Transformers {folder / 'model'} "
            "is a folder to load as it is",
        )
    if to == "gguf":
        with lock_run(folder):
            return _as_gguf(folder, place, kept)
    with lock_run(folder):
        rows = prepared_as_then(folder, recipe).validation
    some = rows.take(np.arange(min(ROWS, len(rows))))
    from tunewright.backends.keras.export import export as write

    make_folder(place.parent)
    with replacing_folder(place) as staged:
        apart = write(folder / "model", to, staged, some.texts, some.pairs)
    return Exported(place, len(some), apart)


def _quantization(to: str, asked: str | None) -> Quantization:
    if asked is not None and to != "gguf":
        raise RunError(f"{to} has no quantization to choose", fix="leave out --quantization")
    for known in QUANTIZATIONS:
        if known == (asked or "f16"):
            return known
    raise RunError(
        f"there is no quantization '{asked}'", fix=f"quantizations: {', '.join(QUANTIZATIONS)}"
    )


def _as_gguf(run: Path, place: Path, quantization: Quantization) -> Exported:
    """`model-f16.gguf` in a folder, read back and compared on prompts."""
    name = f"model-{quantization}.gguf"
    make_folder(place.parent)
    with replacing_folder(place) as staged:
        with disk_errors(place):
            write_gguf(run / "model", staged / name, quantization, name=run.name)
        from tunewright.backends.torch.gguf_proof import PROMPTS, compare

        found = compare(run / "model", staged / name, quantization)
    return Exported(place, len(PROMPTS), found.apart, found.same)
