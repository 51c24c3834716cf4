"""Picture models on PyTorch: what they are given, what is kept, and what is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from picture_models import open_pictures, picture_rows, write_picture_model
from training import make_plan, phase, train
from tunewright.backends.pictures import PictureReader
from tunewright.backends.tokens import TextReader
from tunewright.backends.torch.places import AboveBlocks, BetweenBlocks
from tunewright.backends.torch.predictor import TorchPredictor
from tunewright.errors import DataError, ModelError

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ["vit", "deit", "dinov2", "swin"]


def test_pictures_are_resized_and_scaled_as_the_folder_s_own_processor_does(tmp_path: Path) -> None:
    folder = write_picture_model(tmp_path / "model", "vit")
    rows = picture_rows(tmp_path / "rows", 5)
    found = PictureReader(folder).read(rows.texts, None, None)
    processor = AutoImageProcessor.from_pretrained(folder)
    wanted = processor([Image.open(path) for path in rows.texts], return_tensors="np")
    given = found.batch(np.arange(5))["pixel_values"]
    np.testing.assert_allclose(given, wanted["pixel_values"], atol=1e-5)
    assert (len(found), found.are_ragged) == (5, False)
    other = PictureReader(folder).read(rows.texts[::-1], None, None)
    assert found.sha256() != other.sha256()


@pytest.mark.parametrize("name", NAMES)
def test_with_frozen_blocks_kept_the_steps_are_those_without(name: str, tmp_path: Path) -> None:
    folder = write_picture_model(tmp_path / "model", name)
    losses = []
    for cache in ("off", 1.0):
        backend = open_pictures(folder, tmp_path / "rows", cache=cache)
        plan = make_plan(phase(0, epochs=0), phase(0, epochs=2), phase(1, epochs=2))
        progress = train(backend, plan, tmp_path / f"run{cache}")
        losses.append([entry["log_loss"] for entry in progress.history])
        if cache == 1.0 and name != "swin":  # whose blocks of one width are at the top alone
            assert [record["cached"] for record in progress.records] == [True, True, True]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


def test_of_a_frozen_vit_one_vector_is_kept_of_each_picture(tmp_path: Path) -> None:
    backend = open_pictures(write_picture_model(tmp_path / "model", "vit"), tmp_path / "rows")
    backend.start_phase(phase(0), keep=True)
    assert isinstance(backend.frozen.prefix.place, AboveBlocks)
    assert backend.frozen.prefix.read("train", np.arange(3)).shape == (3, 1, 32)
    backend.start_phase(phase(1), keep=True)
    assert isinstance(backend.frozen.prefix.place, BetweenBlocks)
    assert backend.frozen.prefix.read("train", np.arange(3)).shape == (3, 17, 32)


def test_the_saved_folder_answers_as_the_trained_model(tmp_path: Path) -> None:
    backend = open_pictures(write_picture_model(tmp_path / "model", "vit"), tmp_path / "rows")
    train(backend, make_plan(phase(0, epochs=0), phase(2, epochs=2)), tmp_path / "run")
    backend.save_model(tmp_path / "saved")
    rows = picture_rows(tmp_path / "rows", 24)
    predictor = TorchPredictor(tmp_path / "saved")
    np.testing.assert_allclose(predictor.answers(rows.texts), backend.answers("train"), atol=1e-5)
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "saved").eval()
    processor = AutoImageProcessor.from_pretrained(tmp_path / "saved")
    given = processor([Image.open(path) for path in rows.texts], return_tensors="pt")
    with torch.no_grad():
        plain = model(**given).logits.softmax(-1).numpy()
    np.testing.assert_allclose(plain, backend.answers("train"), atol=1e-5)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write_picture_model(tmp_path / "model", "vit")
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(DataError, match=r"x\.png"):
        PictureReader(folder).read([str(tmp_path / "x.png")], None, None)
    with pytest.raises(ModelError, match=r"rows are texts, and .* a model of pictures"):
        TextReader(folder, None)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="rows are pictures"):
        PictureReader(folder)
