"""Checks data without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.data.check import check_rows
from tunewright.data.prepare import read_parts, rows_of_parts
from tunewright.history.request import read_request


def check(source: str | Path, *, settings: Sequence[str] = (), **keys: Any) -> dict[str, Any]:
    """Findings in the user's data: {"schema_version", "findings": […]}, the worst first.

    Args:
        source: as for `run`.
        settings: recipe settings as `a.b=c`, such as `data.columns.text=review`.
    Raises:
        DataError: the data cannot be read, or nothing can be learned from it.
    """
    recipe = read_request(source, keys, settings)
    rows, columns = rows_of_parts(read_parts(recipe.data), recipe.data, recipe.task)
    return check_rows(rows, columns.kind).as_json()
