"""What a model folder must hold before anything is loaded from it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunewright.durable import file_sha256
from tunewright.errors import ModelError
from tunewright.pretrained.keras_files import MODEL_TYPE
from tunewright.pretrained.static_embeddings import MODEL_TYPE as STATIC
from tunewright.pretrained.weights import adapter_only, check_safetensors, find_weights

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
)
PROCESSOR_FILE = "preprocessor_config.json"
"""It says how pictures are prepared; models of texts have none."""
MOST_LANGUAGES = 4  # that are named; others are counted
_SAVE_FIX = "save it whole: model.save_pretrained(FOLDER) and tokenizer.save_pretrained(FOLDER)"


@dataclass(frozen=True)
class ModelFolder:
    """A folder that passed the check.

    Args:
        config: the content of config.json.
        weights: the safetensors files, in order.
    """

    path: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]


def check_folder(path: Path | str) -> ModelFolder:
    """Look at a model folder without loading it.

    Raises:
        ModelError: something is missing, broken or not to be trusted (pickled weights,
            code of its own); the fix says how to mend it.
    """
    path = Path(path)
    if not path.is_dir():
        raise ModelError(f"{path} is not a model folder", fix="give a folder with a config.json")
    config = _config(path)
    _refuse_remote_code(path, config)
    if config["model_type"] == MODEL_TYPE:
        return ModelFolder(path, config, _keras_weights(path, config))
    weights = find_weights(path)
    if (path / PROCESSOR_FILE).is_file():
        return ModelFolder(path, config, weights)
    if not any((path / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            f"{path} has no tokenizer (looked for {', '.join(TOKENIZER_FILES)})",
            fix="put the tokenizer beside the weights: tokenizer.save_pretrained(FOLDER)",
        )
    return ModelFolder(path, config, weights)


def _keras_weights(path: Path, config: dict[str, Any]) -> tuple[Path, ...]:
    name = str(config.get("weights"))
    if Path(name).name != name or not (path / name).is_file():
        raise ModelError(f"{path} has no weights {name}", fix="restore the file")
    if name.endswith(".safetensors"):
        check_safetensors(path / name)
    return (path / name,)


def known_to_transformers(path: Path) -> bool:
    """Whether the model in a folder is of a kind that Transformers has."""
    return _config(path)["model_type"] not in (MODEL_TYPE, STATIC)


def weights_sha256(weights: tuple[Path, ...]) -> str:
    """SHA-256 of the weights file; of several shards, the SHA-256 over their hashes in order."""
    hashes = [file_sha256(path) for path in weights]
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("".join(hashes).encode("ascii")).hexdigest()


def read_licence(path: Path) -> str | None:
    """The licence that the model card names in its front matter, if there is a card."""
    found = _front(path).get("license")
    return found if isinstance(found, str) else None


def read_languages(path: Path) -> str | None:
    """The languages that the model card names in its front matter, such as `de, en`."""
    found = _front(path).get("language")
    names = [str(each) for each in (found if isinstance(found, list) else [found]) if each]
    more = len(names) - MOST_LANGUAGES
    told = names[:MOST_LANGUAGES] + ([f"{more} more"] if more > 0 else [])
    return ", ".join(told) or None


def _front(path: Path) -> dict[str, Any]:
    """What stands before a model card's text; nothing where it cannot be read."""
    try:
        card = (path / "README.md").read_text(encoding="utf-8", errors="replace")
        front = re.match(r"---\s*\n(.*?)\n---", card, re.DOTALL)
        found = yaml.safe_load(front[1]) if front else {}
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _config(path: Path) -> dict[str, Any]:
    if not (path / "config.json").is_file():
        raise _no_config(path)
    config = _json_object(path / "config.json")
    if not isinstance(config.get("model_type"), str):
        raise ModelError(
            f"{path / 'config.json'} names no model_type, so its architecture is unknown",
            fix="take config.json from the model that the weights belong to",
        )
    return config


def _no_config(path: Path) -> ModelError:
    if (path / "adapter_config.json").is_file():
        return adapter_only(path)
    found = sorted(path.glob("*.gguf"))
    if found:
        return ModelError(
            f"{path} has no config.json; it holds a GGUF file", fix=f"name the file: {found[0]}"
        )
    return ModelError(f"{path} has no config.json, so it is not a model folder", fix=_SAVE_FIX)


def _refuse_remote_code(path: Path, config: dict[str, Any]) -> None:
    tokenizer = path / "tokenizer_config.json"
    places = {"config.json": config}
    if tokenizer.is_file():
        places["tokenizer_config.json"] = _json_object(tokenizer)
    for name, content in places.items():
        if content.get("auto_map"):
            raise ModelError(
                f"{path / name} asks to run Python code that comes with the model (auto_map); "
                "remote code is never run",
                fix="choose a model whose architecture transformers knows: tunewright models list",
            )


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not JSON: {error}", fix=f"restore {path.name}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object", fix=f"restore {path.name}")
    return value
