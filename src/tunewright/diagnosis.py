"""What is installed, what this machine can do, and what would not work."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from tunewright.cache import cache_folder
from tunewright.cores import usable_cores
from tunewright.history.folder import runs_folder
from tunewright.pretrained.distilbert_file import INSTALL as INSTALL_ONNX
from tunewright.pretrained.gguf_header import INSTALL as INSTALL_GGUF
from tunewright.pretrained.listing import list_models

PACKAGES = (
    *("tunewright", "torch", "transformers", "peft", "tokenizers", "safetensors", "numpy", "scipy"),
    *("scikit-learn", "pyarrow", "datasets", "pydantic", "huggingface_hub", "filelock"),
)
KERAS_PACKAGES = ("tensorflow", "tensorflow-text", "keras", "keras-hub")
INSTALL_KERAS = "pip install 'tunewright[tensorflow]'"
INSTALL_OPENAI = "pip install 'tunewright[openai]'"
INSTALL_QUANTIZED = "pip install 'tunewright[quantized]'"
Problem = dict[str, str]
WIDTH = 1024  # of the blocks whose products are timed
_LEAST_FREE_GIB = 2.0
_LEAST_MEMORY_GIB = 2.0
_GIB = 1 << 30


def doctor() -> dict[str, Any]:
    """The facts about this installation and machine, and the problems in them.

    Returns:
        a JSON-able dict; `problems` is a list of {"what", "fix"}. The network is not asked.
    """
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: installed_version(name) for name in PACKAGES},
        "backends": {"torch": "installed", "keras": _extra(KERAS_PACKAGES, INSTALL_KERAS)},
        "extras": {
            "gguf": _extra(("gguf",), INSTALL_GGUF),
            "onnx": _extra(("onnx",), INSTALL_ONNX),
            "openai": _extra(("openai",), INSTALL_OPENAI),
            "quantized": _extra(("bitsandbytes",), INSTALL_QUANTIZED),
        },
        "cores": usable_cores(),
        "memory": _memory(),
        "disk": {"runs": _disk(runs_folder()), "cache": _disk(cache_folder())},
        "device": _device(),
        "pip": importlib.util.find_spec("pip") is not None,
        "hub": {"offline": _is_set("HF_HUB_OFFLINE")},
        "cache": {"folder": str(cache_folder()), "models": _cached_models()},
    }
    return {**facts, "problems": find_problems(facts)}


def find_problems(facts: dict[str, Any]) -> list[Problem]:
    """What in the facts would keep a run from working, and how to mend it."""
    missing = [name for name, found in facts["versions"].items() if found is None]
    problems = [_problem(f"{name} is not installed", f"pip install {name}") for name in missing]
    if facts["device"].get("error") and "torch" not in missing:
        problems.append(
            _problem(f"torch does not work: {facts['device']['error']}", "install torch again")
        )
    if not facts["pip"] and "minilm" not in facts["cache"]["models"]:
        problems.append(
            _problem(
                "minilm is not cached, and this Python has no pip to fetch it with",
                "python -m ensurepip (in a uv environment: uv pip install pip)",
            )
        )
    problems += [p for use, disk in facts["disk"].items() for p in _disk_problems(use, disk)]
    if facts["memory"]["available_gib"] < _LEAST_MEMORY_GIB:
        problems.append(
            _problem(
                f"only {facts['memory']['available_gib']} GiB of memory are free",
                "close other programs; a small model needs about 2 GiB",
            )
        )
    return problems


def installed_version(name: str) -> str | None:
    """A package's version without importing it; None when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _extra(packages: tuple[str, ...], install: str) -> str:
    """Whether the packages of an extra are there; nothing of it is imported."""
    missing = [name for name in packages if installed_version(name) is None]
    if missing:
        return f"lacks {', '.join(missing)} ({install})"
    return " ".join(f"{name} {installed_version(name)}" for name in packages)


def _memory() -> dict[str, float]:
    memory = psutil.virtual_memory()
    return {"total_gib": _gib(memory.total), "available_gib": _gib(memory.available)}


def _disk(folder: Path) -> dict[str, Any]:
    """Free space where the folder is or would be made, and whether it can be written to."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return {
        "folder": str(folder),
        "free_gib": _gib(shutil.disk_usage(there).free),
        "writable": there.is_dir() and os.access(there, os.W_OK),
    }


def _disk_problems(use: str, disk: dict[str, Any]) -> list[Problem]:
    move = f"choose another folder with TUNEWRIGHT_{use.upper()}"
    if not disk["writable"]:
        return [_problem(f"the {use} folder {disk['folder']} cannot be written to", move)]
    if disk["free_gib"] < _LEAST_FREE_GIB:
        what = f"only {disk['free_gib']} GiB are free for the {use} folder {disk['folder']}"
        return [_problem(what, f"free some space, or {move}")]
    return []


def _device() -> dict[str, Any]:
    """Which device would train, and how fast it multiplies matrices; the backend is loaded here."""
    try:
        from tunewright.backends.torch.device import device_facts

        return device_facts(WIDTH)
    except (ImportError, OSError, RuntimeError) as error:
        return {"kind": None, "error": str(error).strip().splitlines()[0]}


def _cached_models() -> list[str]:
    return [row["name"] for row in list_models() if row["cached"]]


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE")


def _problem(what: str, fix: str) -> Problem:
    return {"what": what, "fix": fix}


def _gib(size: int) -> float:
    return round(size / _GIB, 2)
