"""What the pre-trained model makes of rows, before it learns: kept with a run, shared, or computed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunewright.adapting import Adapted
from tunewright.backends import DECIDING_PACKAGES, open_session
from tunewright.cache import cache_folder
from tunewright.data.rows import Rows
from tunewright.durable import make_folder, replacing
from tunewright.evaluation.facts import versions
from tunewright.recipe.augment import Augment
from tunewright.recipe.schema import READS, Recipe
from tunewright.train.phases import first_blocks

FILE = "features.safetensors"
SUFFIX = ".safetensors"
SHARED_BYTES = 256 << 20
PARTS = ("train", "validation")
MOST_ROWS = 20_000  # of training that are kept: cheap models learn little from more


@dataclass(frozen=True)
class Features:
    """Of rows of training and validation: float16 (rows, width), and which rows of training."""

    train: np.ndarray
    rows: np.ndarray
    validation: np.ndarray


def of_parts(adapted: Adapted) -> dict[str, np.ndarray] | None:
    """float32 (rows, width) of training and of validation; None where the model has no new head.

    Args:
        adapted: its layers have not learned yet.
    """
    known = shared(adapted)
    if known is not None:
        adapted.backend.take_features(known)
        return known
    return computed(adapted)


def computed(adapted: Adapted) -> dict[str, np.ndarray] | None:
    """The same, never from those that are shared."""
    blocks = first_blocks(adapted.phases)
    found = {}
    for part in PARTS:
        features = adapted.backend.features(part, blocks)
        if features is None:
            return None
        found[part] = features[: adapted.backend.parts[part].rows]  # as they are: views come after
    return found


def share(adapted: Adapted, found: Mapping[str, np.ndarray]) -> None:
    """Leave them in the cache for a run on the same rows; the oldest of others make room."""
    from safetensors.numpy import save

    path = _shared_path(adapted)
    with replacing(make_folder(path.parent) / path.name) as file:
        file.write(save({part: np.ascontiguousarray(each) for part, each in found.items()}))
    room = SHARED_BYTES
    for other in sorted(path.parent.glob(f"*{SUFFIX}"), key=_age):
        room -= other.stat().st_size
        if room < 0 and other != path:
            other.unlink(missing_ok=True)


def shared(adapted: Adapted) -> dict[str, np.ndarray] | None:
    """float32 (rows, width) of each part as `choose` left them, if it did."""
    from safetensors.numpy import load_file

    path = _shared_path(adapted)
    parts = adapted.backend.parts
    if any(parts[part].views > 1 for part in PARTS) or not path.is_file():
        return None
    return load_file(path)


def _shared_path(adapted: Adapted) -> Path:
    """By everything that the numbers depend on: model, rows as it takes them, and how it computes."""
    recipe, backend = adapted.recipe, adapted.backend
    facts = (
        adapted.model_sha256,
        [backend.parts[part].inputs.sha256() for part in PARTS],
        (recipe.backend, backend.device_type, recipe.train.precision, recipe.train.threads),
        recipe.adapt.pooling,
        [versions().get(name) for name in DECIDING_PACKAGES[recipe.backend]],
    )
    key = hashlib.sha256(repr(facts).encode()).hexdigest()
    return cache_folder() / "features" / f"{key[:32]}{SUFFIX}"


def _age(path: Path) -> float:
    return -path.stat().st_mtime


def keep(run_folder: Path, found: dict[str, np.ndarray], seed: int) -> None:
    """Write them into a run's folder; of very many rows of training, drawn ones."""
    from safetensors.numpy import save

    drawn = np.random.default_rng(seed).permutation(len(found["train"]))
    rows = np.sort(drawn[:MOST_ROWS])
    kept = {
        "train": _rounded(found["train"][rows]),
        "rows": rows,
        "validation": _rounded(found["validation"]),
    }
    with replacing(run_folder / "data" / FILE) as file:
        file.write(save(kept))


def kept(run_folder: Path) -> Features | None:
    """What was kept; None where nothing is."""
    from safetensors.numpy import load_file

    path = run_folder / "data" / FILE
    return Features(**load_file(path)) if path.is_file() else None


def compute(
    recipe: Recipe, model: Path, labels: tuple[str, ...], rows: Rows, targets: np.ndarray
) -> np.ndarray:
    """float16 (rows, width), as the run had those of its own rows.

    Args:
        recipe: resolved. model: the folder of the pre-trained model.
        targets: of the rows; what they are decides nothing.
    """
    plain = recipe.model_copy(update={"augment": Augment()})
    session = open_session(plain, model, READS[recipe.task])
    backend = session.open(plain, labels, dict.fromkeys(PARTS, (rows, targets)))
    return _rounded(backend.features("train", 0))


def _rounded(features: np.ndarray) -> np.ndarray:
    most = np.finfo(np.float16).max
    found: np.ndarray = np.clip(features, -most, most).astype(np.float16)
    return found
