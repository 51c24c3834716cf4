"""KerasHub presets: the states and tokens of the model that they were made of, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

import torch
from PIL import Image
from tiny_presets import (
    CLASSES,
    CONVERTERS,
    TEXTS,
    write_pictures_model,
    write_preset,
    write_texts_model,
)
from transformers import AutoModel

from tiny_models import text_rows, write_csv
from tunewright import run
from tunewright.backends.folder import load_tokenizer, quiet
from tunewright.backends.keras.framework import start
from tunewright.backends.keras.preset_weights import main, write_weights
from tunewright.backends.pictures import PictureReader
from tunewright.errors import ModelError
from tunewright.pretrained import keras_presets
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.listing import show_model


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are written here, which spares the start of TensorFlow."""
    monkeypatch.setattr(keras_presets, "_write_weights", write_weights)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    return write_preset(write_texts_model(folder / "source", "bert"), "bert", folder / "preset")


def states(folder: Path, batch: dict[str, Any]) -> np.ndarray:
    with quiet():
        model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**batch).last_hidden_state.numpy()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # KerasHub's own
@pytest.mark.parametrize("name", CLASSES)
def test_states_and_tokens_are_those_of_the_model_it_was_made_of(name: str, tmp_path: Path) -> None:
    source = write_texts_model(tmp_path / "source", name)
    made = resolve_model(str(write_preset(source, name, tmp_path / "preset"))).path
    before, after = load_tokenizer(source), load_tokenizer(made)
    assert before(TEXTS)["input_ids"] == after(TEXTS)["input_ids"]
    assert before(TEXTS, TEXTS[::-1])["input_ids"] == after(TEXTS, TEXTS[::-1])["input_ids"]
    batch = dict(before(TEXTS, padding=True, return_tensors="pt"))
    mask = batch["attention_mask"].numpy().astype(bool)
    wanted, found = states(source, batch), states(made, batch)
    np.testing.assert_allclose(found[mask], wanted[mask], atol=1e-5)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", CONVERTERS)
def test_a_model_of_pictures_reads_and_answers_as_before(name: str, tmp_path: Path) -> None:
    source = write_pictures_model(tmp_path / "source", name)
    made = resolve_model(str(write_preset(source, name, tmp_path / "preset"))).path
    batch = {"pixel_values": torch.randn(3, 3, 16, 16, generator=torch.manual_seed(0))}
    np.testing.assert_allclose(states(made, batch), states(source, batch), atol=1e-5)
    before, after = PictureReader(source), PictureReader(made)
    for value in (0.0, 255.0):
        scaled = [(value * each.scale - each.mean) / each.std for each in (before, after)]
        np.testing.assert_allclose(*scaled, atol=1e-5)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("crop", [False, True])
def test_pictures_are_cut_and_scaled_as_in_keras_hub(crop: bool, tmp_path: Path) -> None:
    preset = write_preset(write_pictures_model(tmp_path / "model", "vit"), "vit", tmp_path / "vit")
    converter = start(1).hub.layers.ViTImageConverter(
        image_size=(16, 16),
        scale=[1 / 50, 1 / 60, 1 / 70],
        offset=[-2.0, -1.0, 0.5],
        crop_to_aspect_ratio=crop,
        antialias=True,
    )
    converter.save_to_preset(str(preset))
    across, down = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 32))
    pixels = np.stack([across, down, 255 - across], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "slope.png")
    reader = PictureReader(resolve_model(str(preset)).path)
    found = reader.read([str(tmp_path / "slope.png")], None, None).batch(np.arange(1))
    wanted = np.asarray(converter(pixels[None].astype(np.float32)))
    np.testing.assert_allclose(found["pixel_values"].transpose(0, 2, 3, 1), wanted, atol=0.05)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.slow
def test_runs_start_from_a_preset_which_is_made_once(bert: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "tickets.csv", text_rows(60))
    train = {"epochs": 1, "threads": 1, "precision": "fp32"}
    made = []
    for backend in ("torch", "keras"):
        done = run(data, model=str(bert), backend=backend, train=train)
        config = json.loads((done.folder / "model" / "config.json").read_text())
        assert config["model_type"] == "bert"
        assert done.result["model"]["base"] == str(bert)
        made += [path.stat().st_mtime_ns for path in (tmp_path / "cache/models").glob("preset-*")]
    assert made == made[:1] * 2
    assert show_model(str(bert))["intact"]


def changed(preset: Path, folder: Path, **values: Any) -> Path:
    """A copy whose config.json says otherwise; `config__x` is x of the class's own."""
    shutil.copytree(preset, folder)
    config = json.loads((folder / "config.json").read_text())
    for key, value in values.items():
        outer, _, inner = key.partition("__")
        if inner:
            config[outer][inner] = value
        else:
            config[outer] = value
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"registered_name": "keras_hub>GemmaBackbone"}, "GemmaBackbone, which has no way"),
        ({"registered_name": "os>system"}, "system, which has no way"),
        ({"config": None}, "its config holds no values"),
        ({"config__num_layers": 3}, "is not of this BertBackbone"),
        ({"config__num_layers": "two"}, "num_layers is 'two'"),
        ({"config__hidden_dim": 31}, "there is no BertBackbone of the numbers"),
        ({"config__attention": "linear"}, "attention is 'linear', which bert has not"),
        ({"config__activation": {"class_name": "function"}}, "activation is"),
    ],
)
def test_a_preset_that_says_something_unknown_is_refused(
    values: dict[str, Any], said: str, bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        resolve_model(str(changed(bert, tmp_path / "preset", **values)))
    assert "\n" not in caught.value.what
    if "way" in said:
        assert "BertBackbone, DistilBertBackbone, RobertaBackbone" in caught.value.fix
    assert not list((tmp_path / "cache").glob("models/preset-*"))


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.weights.h5", None, "has no model.weights.h5"),
        ("model.weights.h5", b"version https://git-lfs", "is no HDF5 file"),
        ("model.weights.h5", 3000, "cannot be read, or is not of this BertBackbone"),
        ("tokenizer.json", None, "has no tokenizer.json"),
        ("tokenizer.json", b"{}", "tokenizer.json cannot be used"),
        ("assets/tokenizer/vocabulary.txt", None, "has no assets/tokenizer/vocabulary.txt"),
    ],
)
def test_a_preset_that_is_not_whole_is_refused(
    file: str, content: bytes | int | None, said: str, bert: Path, tmp_path: Path
) -> None:
    folder = changed(bert, tmp_path / "preset")
    whole = (folder / file).read_bytes()
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(whole[:content] if isinstance(content, int) else content)
    with pytest.raises(ModelError, match=said) as caught:
        resolve_model(str(folder))
    assert "\n" not in caught.value.what
    assert len(caught.value.fix) > 8


def test_what_the_other_process_says_is_the_error(
    bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = changed(bert, tmp_path / "preset", registered_name="keras_hub>GemmaBackbone")
    monkeypatch.setattr("sys.argv", ["preset_weights", str(folder), str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    done = subprocess.CompletedProcess([], int(ended.value.code or 0), said, "")
    monkeypatch.setattr(subprocess, "run", lambda *words, **settings: done)
    with pytest.raises(ModelError, match="GemmaBackbone, which has no way"):
        resolve_model(str(bert))
    monkeypatch.undo()
    monkeypatch.setattr(keras_presets, "MODULE", "tunewright.no_such_module")
    with pytest.raises(ModelError, match=r"cannot be read: .*No module named"):
        resolve_model(str(bert))
