"""Picture models of Keras itself: read from a file of weights, trained, saved, and answering."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

from picture_models import open_pictures, picture_rows
from training import make_plan, phase, train
from tunewright.backends import open_predictor
from tunewright.backends.keras.export import export
from tunewright.backends.keras.framework import start
from tunewright.backends.keras.session import KerasSession
from tunewright.backends.torch.session import TorchSession
from tunewright.errors import ModelError
from tunewright.pretrained.keras_files import described

FILE = "mobilenet.weights.h5"
SIDE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileNet with random weights, for pictures of 32 pixels."""
    fw = start(1)
    place = tmp_path_factory.mktemp("mobilenet")
    fw.keras.utils.set_random_seed(0)
    model = fw.keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)
    )
    model.save_weights(str(place / FILE))
    for name, content in described("MobileNet", FILE, side=SIDE).items():
        (place / name).write_text(json.dumps(content))
    return place


def in_keras(model: Path) -> KerasSession:
    return KerasSession(model, 1, "image")


@pytest.mark.slow
def test_what_is_trained_is_saved_and_answers_the_same(folder: Path, tmp_path: Path) -> None:
    backend = open_pictures(folder, tmp_path / "rows", session=in_keras)
    fw = backend.made.fw
    plain = fw.keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    plain.load_weights(str(folder / FILE))
    rows = np.arange(4)
    given = backend.parts["train"].inputs.batch(rows)
    wanted = plain(given["pixel_values"].transpose(0, 2, 3, 1), training=False)
    np.testing.assert_allclose(backend.compiled.features(given), np.asarray(wanted), atol=1e-5)
    blocks = backend.num_blocks
    assert blocks > 10
    plan = make_plan(phase(0, epochs=0), phase(1, epochs=1), phase(blocks, epochs=1))
    progress = train(backend, plan, tmp_path / "run")
    assert [record["cached"] for record in progress.records] == [True, True, False]
    (tmp_path / "saved").mkdir()
    backend.save_model(tmp_path / "saved")
    predictor = open_predictor(tmp_path / "saved")
    texts = picture_rows(tmp_path / "rows", 24).texts
    np.testing.assert_allclose(predictor.answers(texts), backend.answers("train"), atol=1e-5)
    for form in ("keras", "savedmodel"):
        (out := tmp_path / form).mkdir()
        assert export(tmp_path / "saved", form, out, texts[:4], None) < 1e-4
    assert predictor.labels == ("billing", "shipping", "technical")
    again = open_pictures(tmp_path / "saved", tmp_path / "rows", session=in_keras)
    kept = again.compiled.features(given)
    np.testing.assert_allclose(kept, backend.compiled.features(given), atol=1e-5)


def test_of_frozen_convolutions_one_vector_is_kept(folder: Path, tmp_path: Path) -> None:
    backend = open_pictures(folder, tmp_path / "rows", session=in_keras)
    backend.start_phase(phase(0), keep=True)
    assert backend.frozen.prefix.read("train", np.arange(3)).shape == (3, 1024)


def test_foreign_weights_and_other_backends_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for file in folder.iterdir():
        content = file.read_bytes().replace(b'"MobileNet"', b'"VGG16"')
        (tmp_path / "other" / file.name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{FILE} does not fit VGG16"):
        open_pictures(tmp_path / "other", tmp_path / "rows", session=in_keras)
    with pytest.raises(ModelError, match="backend torch cannot train"):
        TorchSession(folder, "image")
    with pytest.raises(ModelError, match="is no trained classifier"):
        open_predictor(folder)


def test_a_model_trained_in_bf16_is_saved(folder: Path, tmp_path: Path) -> None:
    backend = open_pictures(folder, tmp_path / "rows", session=in_keras, precision="bf16")
    (tmp_path / "saved").mkdir()
    backend.save_model(tmp_path / "saved")
    found = open_predictor(tmp_path / "saved").answers(picture_rows(tmp_path / "rows", 24).texts)
    np.testing.assert_allclose(found, backend.answers("train"), atol=0.05)
