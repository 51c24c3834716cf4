"""Data sets by their Hugging Face id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunewright.data.arrow_cache import as_table
from tunewright.data.arrow_files import name_classes
from tunewright.data.parts import find_parts, refuse_without_train
from tunewright.data.table import Table
from tunewright.errors import DataError

ANSWER_TIMEOUT_S = 10.0


def read_hub(name: str, near: str) -> dict[str, Table]:
    """The parts of a data set on the hub, or in its local cache.

    Args:
        name: `owner/name` or `name`.
        near: what to try if it was meant as a file.
    Raises:
        DataError: no such data set, or no connection.
    """
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    # The bases are the errors of whichever HTTP client this version of the hub uses.
    problems = (OSError, ValueError, RuntimeError, KeyError, *HfHubHTTPError.__bases__)
    cached = Path(datasets.config.HF_DATASETS_CACHE) / name.replace("/", "___")
    try:
        if not cached.is_dir():  # one question first: load_dataset asks for half a minute
            HfApi().dataset_info(name, timeout=ANSWER_TIMEOUT_S)
        loaded = datasets.load_dataset(name)
    except (*problems, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(
            f"there is no file or folder {name}, and no data set of this name could be loaded "
            f"from the Hugging Face hub: {reason}",
            fix=near,
        ) from None
    splits = {str(split): data for split, data in loaded.items()}
    parts = find_parts(splits, f"the data set {name}")
    refuse_without_train(parts, splits, f"the data set {name}")
    tables = {part: _table(splits[split], name, split) for part, split in parts.items()}
    return {"all": tables["train"]} if len(tables) == 1 else tables


def _table(data: Any, name: str, split: str) -> Table:
    flat = data.flatten_indices() if data._indices is not None else data
    return as_table(name_classes(flat.data.table, flat.features.to_dict()), f"{name} ({split})")
