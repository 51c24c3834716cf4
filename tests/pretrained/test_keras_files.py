"""Files of Keras weights: which architecture they are of, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunewright.errors import ModelError
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.folder import check_folder
from tunewright.pretrained.keras_files import SCALED, SCALINGS, described


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("vgg16.weights.h5", "VGG16"),
        ("VGG16-mine.weights.h5", "VGG16"),
        ("resnet50v2_notop.weights.h5", "ResNet50V2"),
        ("mobilenet_v2.weights.h5", "MobileNetV2"),
        ("efficientnet-b0.weights.h5", "EfficientNetB0"),
    ],
)
def test_the_architecture_is_the_beginning_of_the_file_s_name(
    name: str, architecture: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(b"numbers")
    found = resolve_model(str(file))
    config = json.loads((found.path / "config.json").read_text())
    assert (config["architecture"], config["weights"]) == (architecture, name)
    assert (found.path / name).read_bytes() == b"numbers"
    assert found.base == str(file)
    assert resolve_model(str(file)).path == found.path
    assert check_folder(found.path).weights == (found.path / name,)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.keras", "is not trusted"),
        ("vgg16.h5", "is not trusted"),
        ("mine.weights.h5", "begins with no architecture"),
    ],
)
def test_what_is_no_file_of_weights_alone_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelError, match=said) as caught:
        resolve_model(str(tmp_path / name))
    assert ".weights.h5" in caught.value.fix


def test_a_folder_whose_weights_are_gone_or_elsewhere_is_refused(tmp_path: Path) -> None:
    for name, content in described("VGG16", "../vgg16.weights.h5").items():
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="has no weights"):
        check_folder(tmp_path)


def test_every_architecture_has_a_scaling_of_its_own() -> None:
    assert set(SCALED.values()) == set(SCALINGS)
    for scaling in SCALINGS.values():
        assert len(scaling["image_mean"]) == len(scaling["image_std"]) == 3
