"""Rows of nothing but texts, or paths of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tunewright.data.rows import Rows
from tunewright.recipe.schema import Reads


def plain_rows(texts: Sequence[str], reads: Reads = "text") -> Rows:
    ids = [f"{row:032x}" for row in range(len(texts))]
    return Rows(list(texts), None, None, ids, "rows.csv", np.arange(len(texts)) + 1, reads=reads)
