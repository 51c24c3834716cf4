"""Pictures as pixels, resized and cut as the model's folder says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends.folder import first_line, quiet
from tunewright.backends.packed import Packed, make_packed
from tunewright.cache import cache_folder
from tunewright.data.pictures import whole_picture
from tunewright.errors import DataError, ModelError
from tunewright.pretrained.folder import PROCESSOR_FILE

PIXELS_PER_TOKEN = 16 * 16  # by which a picture's work is told from its size
AT_ONCE = 64
IN_MEMORY = 2 << 30  # bytes of pixels; more lie in a mapped file


@dataclass(frozen=True)
class Pixels:
    """The pictures of one part, all of one size.

    kept: uint8, (height × width × 3) of each row; scale, mean, std: (value × scale − mean) / std is
    what the model is given, mean and std float32 (3).
    """

    kept: Packed
    height: int
    width: int
    scale: float
    mean: np.ndarray
    std: np.ndarray

    are_ragged = False

    def __len__(self) -> int:
        return len(self.kept.starts) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 (rows): the same for all."""
        tokens = max(1, self.height * self.width // PIXELS_PER_TOKEN)
        return np.full(len(self), tokens, dtype=np.int64)

    def sha256(self) -> str:
        """See `Inputs`."""
        facts = (self.height, self.width, self.scale, self.mean.tolist(), self.std.tolist())
        found = hashlib.sha256(repr(facts).encode())
        found.update(self.kept.flat.data)
        return found.hexdigest()

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """float32 (rows, 3, height, width), as `pixel_values`."""
        plain = self.kept.read(rows).reshape(len(rows), self.height, self.width, 3)
        scaled = (plain.astype(np.float32) * np.float32(self.scale) - self.mean) / self.std
        return {"pixel_values": np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))}


class PictureReader:
    """Implements `Reader`; resizing is done by the folder's own image processor.

    Raises:
        ModelError: the folder has none, or one that answers with something else than pictures.
    """

    longest_input: int | None = None

    def __init__(self, path: Path) -> None:
        from transformers import AutoImageProcessor

        if not (path / PROCESSOR_FILE).is_file():
            raise ModelError(
                f"rows are pictures, and {path} holds no model of pictures: it has no image processor",
                fix="name one, such as --model efficientnet-lite0 (with backend keras vgg16-edges), or "
                f"the folder of a ViT with its {PROCESSOR_FILE}",
            )
        with quiet():
            try:
                processor: Any = AutoImageProcessor.from_pretrained(
                    path, trust_remote_code=False, use_fast=False
                )
            except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
                raise ModelError(
                    f"the image processor in {path} cannot be read: {first_line(error)}",
                    fix=f"the folder needs the model's own {PROCESSOR_FILE}",
                ) from None
        self.processor = processor
        self.scale = float(processor.rescale_factor) if processor.do_rescale else 1.0
        normal = bool(processor.do_normalize)
        self.mean = np.asarray(processor.image_mean if normal else [0.0] * 3, np.float32)
        self.std = np.asarray(processor.image_std if normal else [1.0] * 3, np.float32)

    def read(
        self, texts: Sequence[str], pairs: Sequence[str] | None, longest: int | None
    ) -> Pixels:
        """See `Reader`. Raises DataError where a picture cannot be read."""
        height, width = self._resized([_open(texts[0])]).shape[1:3]
        kept = make_packed(
            np.ones(len(texts), dtype=np.int64),
            height * width * 3,
            np.dtype(np.uint8),
            in_memory=IN_MEMORY,
            folder=cache_folder() / "activations",
        )
        for first in range(0, len(texts), AT_ONCE):
            some = self._resized([_open(path) for path in texts[first : first + AT_ONCE]])
            kept.flat[first : first + len(some)] = some.reshape(len(some), -1)
        return Pixels(kept, height, width, self.scale, self.mean, self.std)

    def whole_lengths(self, texts: Sequence[str], pairs: Sequence[str] | None) -> np.ndarray:
        """See `Reader`: what a picture counts for."""
        return np.ones(len(texts), dtype=np.int64)

    def save(self, folder: Path) -> None:
        """See `Reader`."""
        self.processor.save_pretrained(folder)

    def _resized(self, pictures: list[Any]) -> np.ndarray:
        """uint8 (pictures, height, width, 3)."""
        found: np.ndarray = self.processor(
            images=pictures,
            do_rescale=False,
            do_normalize=False,
            input_data_format="channels_last",
            return_tensors="np",
        )["pixel_values"]
        whole = np.clip(np.rint(found), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))


def _open(path: str) -> np.ndarray:
    """uint8 (height, width, 3); the same as `transformers.image_utils.load_image` opens."""
    try:
        return np.asarray(whole_picture(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"the picture {path} cannot be read: {first_line(error)}",
            fix="replace it, or take its row out",
        ) from None
