"""What reads the rows of a KerasHub preset, as the files that Transformers has for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError
from tunewright.pretrained.folder import PROCESSOR_FILE
from tunewright.pretrained.preset_families import class_name

TOKENIZER, CONVERTER, ASSETS = "tokenizer.json", "image_converter.json", "assets/tokenizer"
_WORD_PIECES = {"vocabulary.txt": "vocab.txt"}
_TOKENIZERS: dict[str, tuple[str, dict[str, str]]] = {
    "BertTokenizer": ("BertTokenizer", _WORD_PIECES),
    "DistilBertTokenizer": ("DistilBertTokenizer", _WORD_PIECES),
    "RobertaTokenizer": (
        "RobertaTokenizer",
        {"vocabulary.json": "vocab.json", "merges.txt": "merges.txt"},
    ),
    "XLMRobertaTokenizer": (
        "XLMRobertaTokenizer",
        {"vocabulary.spm": "sentencepiece.bpe.model"},
    ),
}
_SAME = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "oov_token": "unk_token",
    "add_prefix_space": "add_prefix_space",
}
_TAKEN_FOR_GRANTED = {"split": True, "split_on_cjk": True, "suffix_indicator": "##"}
_RESAMPLES = {"nearest": 0, "bilinear": 2, "bicubic": 3}


@dataclass(frozen=True)
class RowFiles:
    """Files for a Transformers folder.

    Args:
        written: JSON files by name.
        copied: file of the preset by the name of its copy.
        read: every file of the preset that decides about them.
    """

    written: dict[str, Any]
    read: tuple[Path, ...]
    copied: dict[str, Path] = field(default_factory=dict)


def row_files(folder: Path, config: Mapping[str, Any]) -> RowFiles:
    """The tokenizer's files, or those of the image processor.

    Args:
        config: of the model in Transformers.
    Raises:
        ModelError: a file is missing or unknown.
    """
    if "image_size" in config:
        return _pictures(folder, int(config["image_size"]))
    return _texts(folder, config)


def _texts(folder: Path, config: Mapping[str, Any]) -> RowFiles:
    serialized = _serialized(folder / TOKENIZER, "tokenizer.save_to_preset(FOLDER)")
    known = _TOKENIZERS.get(class_name(serialized))
    if known is None:
        raise ModelError(
            f"{folder / TOKENIZER} is a {class_name(serialized)}, which is not known here",
            fix=f"use a preset with one of these: {', '.join(_TOKENIZERS)}",
        )
    name, assets = known
    copied = {target: folder / ASSETS / source for source, target in assets.items()}
    missing = [path.name for path in copied.values() if not path.is_file()]
    if missing:
        raise ModelError(
            f"{folder} has no {ASSETS}/{missing[0]}, so its texts cannot be read",
            fix="save the tokenizer too: tokenizer.save_to_preset(FOLDER)",
        )
    given = serialized["config"]
    for key, value in _TAKEN_FOR_GRANTED.items():
        if given.get(key, value) != value:
            raise ModelError(
                f"{folder / TOKENIZER} has {key}: {given[key]!r}, which Transformers has not",
                fix=f"use a preset whose tokenizer has {key}: {value!r}",
            )
    content = {target: given[key] for key, target in _SAME.items() if key in given}
    longest = config["max_position_embeddings"]
    if "roberta" in config["model_type"]:
        longest -= 2  # these keep two positions for padding
    content |= {"tokenizer_class": name, "model_max_length": longest}
    read = (folder / TOKENIZER, *copied.values())
    return RowFiles({"tokenizer_config.json": content}, read, copied)


def _pictures(folder: Path, side: int) -> RowFiles:
    """KerasHub computes value × scale + offset, Transformers (value / 255 − mean) / std."""
    path = folder / CONVERTER
    given = _serialized(path, "image_converter.save_to_preset(FOLDER)")["config"]
    try:
        scales, offsets = (
            _of_three(given.get(key), default) for key, default in (("scale", 1.0), ("offset", 0.0))
        )
        deviations = [1 / (255 * scale) for scale in scales]
        means = [-offset * std for offset, std in zip(offsets, deviations, strict=True)]
        resample = _RESAMPLES[given["interpolation"]]
        size = {"height": side, "width": side}
        if given["image_size"] not in (None, [side, side]) or given.get("pad_to_aspect_ratio"):
            raise ValueError(f"it does not make squares of {side}")
        crop = bool(given["crop_to_aspect_ratio"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(
            f"{path} cannot be used: {error}", fix="use a preset that resizes pictures to a square"
        ) from None
    content = {
        "image_processor_type": "CLIPImageProcessor" if crop else "ViTImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": side} if crop else size,
        "resample": resample,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": means,
        "image_std": deviations,
    }
    if crop:
        content |= {"do_center_crop": True, "crop_size": size}
    return RowFiles({PROCESSOR_FILE: content}, (path,))


def _of_three(value: Any, default: float) -> list[float]:
    """One number for each colour."""
    if value is None:
        value = default
    values = [float(each) for each in (value if isinstance(value, list) else [value] * 3)]
    if len(values) != 3:
        raise ValueError(f"{len(values)} colours")
    return values


def _serialized(path: Path, call: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not isinstance(found["config"], dict):
            raise ValueError("it holds no config")
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent} has no {path.name}, so its rows cannot be read",
            fix=f"save what reads them too: {call}",
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be used: {error}", fix=f"restore {path.name}") from None
    return found
