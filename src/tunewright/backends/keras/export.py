"""A trained Transformers folder as a Keras file, a TensorFlow SavedModel or a TensorFlow Lite file."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.keras.framework import Frameworks, start
from tunewright.backends.keras.model import INPUTS, build
from tunewright.backends.keras.twin import named_weights
from tunewright.backends.torch.predictor import TorchPredictor
from tunewright.errors import ModelError

ANSWERS_WITHIN = 1e-4
Scores = Callable[[dict[str, np.ndarray]], np.ndarray]


def export(
    folder: Path, kind: str, out: Path, texts: Sequence[str], pairs: Sequence[str] | None
) -> float:
    """Write the model, read it back, and compare it with the folder on real rows.

    Args:
        folder: a Transformers classifier.
        kind: keras, savedmodel or tflite.
        out: an empty folder; the tokenizer goes there too.
        texts, pairs: the rows to compare on.
    Returns:
        the largest difference of a score before softmax.
    Raises:
        ModelError: it cannot be written in this form, or answers otherwise.
    """
    fw = start()
    plain = TorchPredictor(folder)
    weights = named_weights(plain.model)
    made = build(fw, plain.model.config, weights, dropout=None, attention_dropout=False, bf16=False)
    batch = plain.inputs(texts, pairs).batch(np.arange(len(texts)))
    given = {
        each.name: batch.get(INPUTS[each.name], np.zeros_like(batch["input_ids"])).astype(np.int32)
        for each in made.model.inputs
    }
    try:
        scores = FORMS[kind](fw, made.model, out)
    except Exception as error:  # noqa: BLE001 - whatever a converter makes of a model
        raise ModelError(
            f"the model cannot be written as {kind}: {str(error).splitlines()[0][:300]}",
            fix="export to another form",
        ) from None
    apart = float(np.abs(scores(given) - plain.scores(batch)).max())
    if not apart <= ANSWERS_WITHIN:
        raise ModelError(
            f"written as {kind} the model answers otherwise: scores differ by {apart:.2g}",
            fix="export to another form",
        )
    plain.reader.save(out)
    return apart


def _keras(fw: Frameworks, model: Any, out: Path) -> Scores:
    place = str(out / "model.keras")
    model.save(place)
    again = fw.keras.saving.load_model(place, safe_mode=True)
    return lambda given: np.asarray(again([given[each.name] for each in again.inputs]))


def _saved(fw: Frameworks, model: Any, out: Path) -> Scores:
    _export(fw, model, out)
    again = fw.tf.saved_model.load(str(out))
    return lambda given: np.asarray(again.serve({**given}))


def _lite(fw: Frameworks, model: Any, out: Path) -> Scores:
    with tempfile.TemporaryDirectory() as folder:
        _export(fw, model, Path(folder))
        content = fw.tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    place = out / "model.tflite"
    place.write_bytes(content)

    def scores(given: dict[str, np.ndarray]) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it moves to a package of its own
            interpreter = fw.tf.lite.Interpreter(model_content=content)
        run = interpreter.get_signature_runner()
        (found,) = run(**given).values()
        return np.asarray(found)

    return scores


def _export(fw: Frameworks, model: Any, folder: Path) -> None:
    """A SavedModel that takes a dictionary of inputs, rows and tokens of any number."""
    tf = fw.tf
    archive = fw.keras.export.ExportArchive()
    archive.track(model)
    names = [each.name for each in model.inputs]
    specs = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}
    archive.add_endpoint(
        "serve",
        lambda given: model([given[name] for name in names], training=False),
        input_signature=[specs],
    )
    archive.write_out(str(folder), verbose=False)


FORMS: dict[str, Callable[[Frameworks, Any, Path], Scores]] = {
    "keras": _keras,
    "savedmodel": _saved,
    "tflite": _lite,
}
