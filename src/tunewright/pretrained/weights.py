"""The weights of a model folder: safetensors that are whole, and nothing pickled."""

from __future__ import annotations

import json
import math
from pathlib import Path

from tunewright.errors import ModelError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLED_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_AGAIN_FIX = "fetch the file again"
_CONVERT_FIX = (
    "convert it once, on a machine where you trust the file: "
    "AutoModel.from_pretrained(FOLDER).save_pretrained(NEW) writes safetensors"
)


def find_weights(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a model folder, each checked for being whole.

    Raises:
        ModelError: none, a missing or damaged one, or only pickled weights.
    """
    if (folder / SINGLE).is_file():
        weights: tuple[Path, ...] = (folder / SINGLE,)
    elif (folder / INDEX).is_file():
        weights = _shards(folder)
    else:
        raise _no_weights(folder)
    for path in weights:
        check_safetensors(path)
    return weights


def check_safetensors(path: Path) -> None:
    """Compare a file's length with what its header promises; the numbers are not read.

    Raises:
        ModelError: it is cut short, a Git LFS pointer, or not safetensors.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            raise ModelError(
                f"{path} is a Git LFS pointer, not the weights", fix="run: git lfs pull"
            )
        header_bytes = int.from_bytes(start, "little")
        whole = len(start) == 8 and 0 < header_bytes <= _MAX_HEADER_BYTES
        header = file.read(header_bytes) if whole else b""
    try:
        tensors = json.loads(header)
        ends = [t["data_offsets"][1] for name, t in tensors.items() if name != "__metadata__"]
        promised = 8 + header_bytes + int(max(ends))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(f"{path} is not a whole safetensors file", fix=_AGAIN_FIX) from None
    if path.stat().st_size != promised:
        raise ModelError(
            f"{path} has {path.stat().st_size:,} bytes where its header promises {promised:,}",
            fix=_AGAIN_FIX,
        )


def adapter_only(folder: Path) -> ModelError:
    """What to say of a folder that holds an adapter without its base."""
    return ModelError(
        f"{folder} holds an adapter, not a whole model",
        fix="merge it into its base first (PEFT: merge_and_unload, then save_pretrained)",
    )


def _shards(folder: Path) -> tuple[Path, ...]:
    index = folder / INDEX
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index} lists no weight files", fix=_AGAIN_FIX) from None
    wrong = [n for n in names if Path(n).name != n or not n.endswith(".safetensors")]
    if wrong or not names:
        raise ModelError(
            f"{index} names files that are not safetensors of this folder: {wrong[:3]}",
            fix="take the index from the model that the weights belong to",
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{folder} lacks {len(missing)} of {len(names)} weight files: {', '.join(missing[:3])}",
            fix="fetch the missing files",
        )
    return tuple(folder / name for name in names)


def _no_weights(folder: Path) -> ModelError:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    pickled = [p.name for p in files if p.suffix in PICKLED_SUFFIXES and "args" not in p.stem]
    tensors = [p.name for p in files if p.suffix == ".safetensors"]
    if (folder / "adapter_config.json").is_file():
        return adapter_only(folder)
    if tensors:
        return ModelError(
            f"{folder} has {', '.join(tensors[:3])} but no {SINGLE} and no {INDEX}",
            fix=f"rename the one file to {SINGLE}, or add the index of the shards",
        )
    if pickled:
        return ModelError(
            f"{folder} has only pickled weights ({', '.join(pickled[:3])}); "
            "they can run code when opened, and are refused",
            fix=_CONVERT_FIX,
        )
    return ModelError(
        f"{folder} has no weights (looked for {SINGLE} and {INDEX})",
        fix="save it whole: model.save_pretrained(FOLDER)",
    )


def fp32_bytes(folder: Path) -> int:
    """What a folder's weights take in memory once each is an fp32 number."""
    return sum(4 * math.prod(shape) for path in find_weights(folder) for shape in _shapes(path))


def _shapes(path: Path) -> list[list[int]]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return [each["shape"] for name, each in header.items() if name != "__metadata__"]
