"""A trained Transformers folder as a Keras file, a TensorFlow SavedModel or a TensorFlow Lite file."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import open_predictor
from tunewright.backends.folder import trained_length
from tunewright.backends.keras.framework import Frameworks, start
from tunewright.backends.keras.model import INPUTS, arguments, build
from tunewright.backends.keras.predictor import KerasPredictor
from tunewright.backends.keras.twin import named_weights
from tunewright.backends.tokens import TextReader
from tunewright.errors import ModelError

ANSWERS_WITHIN = 1e-4
LABELS_FILE = "labels.json"
Scores = Callable[[dict[str, np.ndarray]], np.ndarray]


def export(
    folder: Path, kind: str, out: Path, texts: Sequence[str], pairs: Sequence[str] | None
) -> float:
    """Write the model, read it back, and compare it with the folder on real rows.

    Beside it lie the tokenizer, and `labels.json`: the names of the scores, in their order.

    Args:
        folder: a trained classifier.
        kind: keras, savedmodel or tflite.
        out: an empty folder; what reads the rows goes there too.
        texts, pairs: the rows to compare on.
    Returns:
        the largest difference of a score before softmax.
    Raises:
        ModelError: it cannot be written in this form, or answers otherwise.
    """
    fw = start()
    plain, model = _opened(fw, folder)
    batch = plain.inputs(texts, pairs).batch(np.arange(len(texts)))
    given = {
        each.name: values.astype(_kind_of(each))
        for each, values in zip(model.inputs, arguments(model, batch), strict=True)
    }
    try:
        scores = FORMS[kind](fw, model, out)
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
    if isinstance(plain.reader, TextReader):  # so that `truncation=True` cuts as training did
        longest = trained_length(plain.model.config, plain.reader.longest_input)
        if longest is not None:
            plain.reader.tokenizer.model_max_length = longest
    plain.reader.save(out)
    (out / LABELS_FILE).write_text(json.dumps(plain.labels, ensure_ascii=False), "utf-8")
    return apart


def _opened(fw: Frameworks, folder: Path) -> tuple[Any, Any]:
    """(what answers as the folder does, the Keras model)."""
    plain = open_predictor(folder)
    if isinstance(plain, KerasPredictor):
        return plain, plain.made.model
    weights, config = named_weights(plain.model), plain.model.config
    made = build(fw, config, weights, dropout=None, attention_dropout=False, bf16=False)
    return plain, made.model


def _kind_of(each: Any) -> str:
    """Of an input of the exported model: tokens are int32, pictures float32."""
    return "int32" if each.name in INPUTS else "float32"


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
    """A SavedModel that takes a dictionary of inputs, of any number of rows and of tokens."""
    tf = fw.tf
    archive = fw.keras.export.ExportArchive()
    archive.track(model)
    names = [each.name for each in model.inputs]
    specs = {e.name: tf.TensorSpec(e.shape, _kind_of(e), name=e.name) for e in model.inputs}
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
