"""Which rows belong together: by length, by the values of a column, by language, by finding.

N rows. Every group is a mask, bool (N); of one kind no row is in two of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.data.checks.languages import MOST_ROWS, is_mixed, language_of
from tunewright.data.checks.readings import drawn, reading
from tunewright.data.findings import Finding
from tunewright.data.rows import Rows

Groups = dict[str, NDArray[np.bool_]]
QUARTERS = (0.25, 0.5, 0.75)
MOST_VALUES = 10  # of a column, that have a group of their own
NONE = "no value"


def by_length(texts: Sequence[str]) -> Groups:
    """Quarters of the rows by how many characters they have; equal lengths stay together."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    if not len(lengths):
        return {}
    edges = np.unique(np.quantile(lengths, QUARTERS).astype(np.int64))
    at = np.searchsorted(edges, lengths)
    bounds = [0, *edges.tolist(), int(lengths.max())]
    return {
        f"{bounds[part] + (part > 0):,} to {bounds[part + 1]:,} characters": at == part
        for part in range(len(edges) + 1)
        if (at == part).any()
    }


def by_value(values: Sequence[str | None]) -> Groups:
    """One group for each value of a column, or quarters where there are many numbers.

    Of more than ten values the ten with most rows have a group each, and one holds the others.
    """
    counts = Counter(value for value in values if value is not None)
    numbers = _numbers(values)
    if numbers is not None and len(counts) > MOST_VALUES:
        return _quarters(numbers)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    if numbers is not None:
        ranked.sort(key=float)
    return _by_name(values, ranked, "values")


def by_language(rows: Rows) -> Groups:
    """One group for each language, among 2,000 rows at most; none where nearly all have one."""
    told: list[str | None] = [None] * len(rows)
    looked = drawn(len(rows), MOST_ROWS)
    for row in looked.tolist():
        told[row] = language_of(reading(rows, row))
    counts = Counter(language for language in told if language is not None)
    most = max(counts.values(), default=0)
    if not is_mixed(counts.total(), counts.total() - most):
        return {}
    ranked = sorted(counts, key=lambda language: (-counts[language], language))
    found = _by_name(told, ranked, "languages")
    found.pop(NONE, None)
    was_read = np.zeros(len(rows), np.bool_)
    was_read[looked] = True
    untold = was_read & np.array([language is None for language in told])
    return found | ({"too short or mixed to tell": untold} if untold.any() else {})


def by_finding(ids: Sequence[str], findings: Iterable[Finding]) -> dict[str, Groups]:
    """Code → the rows that carry the finding, and the others.

    Findings are left out that are not about rows, or of none of these.

    Args:
        ids: N, of the rows.
    """
    carried: dict[str, set[str]] = {}
    for finding in findings:
        carried.setdefault(finding.code, set()).update(finding.ids)
    found = {}
    for code, some in carried.items():
        rows = np.fromiter((row in some for row in ids), np.bool_, len(ids))
        if rows.any():
            found[code] = {"with it": rows, "without": ~rows}
    return found


def _by_name(values: Sequence[str | None], ranked: Sequence[str], noun: str) -> Groups:
    """A group for each of the first ten values, one for all others, one for rows without."""
    shown = ranked[:MOST_VALUES]
    names = [*shown, f"{len(ranked) - len(shown):,} other {noun}", NONE]
    numbers = {value: at for at, value in enumerate(shown)} | {None: len(shown) + 1}
    at = np.fromiter((numbers.get(value, len(shown)) for value in values), np.int64, len(values))
    return {name: at == number for number, name in enumerate(names) if (at == number).any()}


def _numbers(values: Sequence[str | None]) -> NDArray[np.float64] | None:
    """float64 (N), NaN where there is no value; None where one of them is no number."""
    try:
        found = [math.nan if value is None else float(value) for value in values]
    except ValueError:
        return None
    known = [each for each, value in zip(found, values, strict=True) if value is not None]
    return np.array(found) if known and np.isfinite(known).all() else None


def _quarters(numbers: NDArray[np.float64]) -> Groups:
    """Quarters of the rows by a number, between its quantiles; equal numbers stay together."""
    known = ~np.isnan(numbers)
    low, high = float(numbers[known].min()), float(numbers[known].max())
    edges = np.unique(np.quantile(numbers[known], QUARTERS, method="lower"))
    at = np.searchsorted(edges, numbers)
    bounds = [low, *edges.tolist(), high]
    found = {
        (
            f"{bounds[part]:g} to {bounds[part + 1]:g}"
            if part == 0
            else f"above {bounds[part]:g}, to {bounds[part + 1]:g}"
        ): known & (at == part)
        for part in range(len(edges) + 1)
    }
    found |= {NONE: ~known}
    return {name: rows for name, rows in found.items() if rows.any()}
