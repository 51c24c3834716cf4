"""Which words and signs are in which texts, as a matrix of rows and words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

TOKEN = r"\w+|[^\w\s]+"  # noqa: S105 -- a pattern
READ_CHARACTERS = 2_000


def words_of(
    texts: Iterable[str], least_rows: int = 1
) -> tuple[csr_matrix | None, NDArray[np.object_]]:
    """One where a text has a word in its first 2,000 characters, and the words; None without any."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(binary=True, token_pattern=TOKEN, min_df=least_rows, dtype=np.int32)
    try:
        found = counter.fit_transform(text[:READ_CHARACTERS] for text in texts)
    except ValueError:  # no word is in enough texts
        return None, np.array([], dtype=object)
    return found, counter.get_feature_names_out()
