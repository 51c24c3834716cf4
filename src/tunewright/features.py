"""What the pre-trained model makes of rows, before it learns: kept with a run, or computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunewright.adapting import Adapted
from tunewright.backends import open_session
from tunewright.data.rows import Rows
from tunewright.durable import replacing
from tunewright.recipe.augment import Augment
from tunewright.recipe.schema import READS, Recipe
from tunewright.train.phases import first_blocks

FILE = "features.safetensors"
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
    blocks = first_blocks(adapted.phases)
    found = {}
    for part in PARTS:
        features = adapted.backend.features(part, blocks)
        if features is None:
            return None
        found[part] = features[: adapted.backend.parts[part].rows]  # as they are: views come after
    return found


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
