"""Weights and optimizer state to safetensors files and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays and return when they are on the disk."""
    from safetensors.numpy import save_file

    save_file({name: np.asarray(each, order="C") for name, each in arrays.items()}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Named arrays; shapes and types as written."""
    from safetensors.numpy import load_file

    return load_file(path)
