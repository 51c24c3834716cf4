"""Scores of texts that a model wrote.

N rows, S counts of a row, R samples of rows. One score and a thousand resampled ones are the same
code, see `written`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from tunewright.errors import DataError
from tunewright.evaluation.scored import Floats, Ints, Scored, often
from tunewright.evaluation.written import METRICS, Asked, Metric, Written, calls_of, own_count


class Generated(Scored):
    """What the metrics need to know about each row, counted when a metric first asks for it.

    Args:
        rows: N of them.
    Raises:
        DataError: no rows.
    """

    def __init__(self, rows: Sequence[Written], asked: Asked | None = None) -> None:
        if not rows:
            raise DataError("there are no rows to score", fix="evaluate on at least one row")
        self.rows = [
            replace(row, place=row.place or str(number)) for number, row in enumerate(rows, start=1)
        ]
        self.asked = asked or Asked()
        self._counts: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def measure(self, names: Sequence[str], sample: Ints | None = None) -> Floats:
        """See `Scored`. Zero for a sample in which no row counts.

        Raises:
            DataError, RecipeError: see `counts`.
        """
        drawn = often(sample, len(self))
        return np.stack([self._metric(name).score(drawn @ self.counts(name)) for name in names])

    def each(self, name: str) -> Floats:
        """The score of each row alone, (N,); NaN where the row does not count."""
        counts = self.counts(name)
        return np.where(counts.any(axis=1), self._metric(name).score(counts), np.nan)

    def num_counted(self, name: str) -> int:
        """Rows that count: of `json_equal`, those whose reference is JSON, and so on."""
        return int(self.counts(name).any(axis=1).sum())

    def counts(self, name: str) -> Floats:
        """What a metric counts in each row, (N, S).

        Raises:
            DataError: no such metric, a row without what it needs, or a user's function failed.
            RecipeError: it needs a regular expression.
        """
        if name not in self._counts:
            count = self._metric(name).count
            counts = [count(row, self.asked) for row in self.rows]
            self._counts[name] = np.array(counts, dtype=np.float64)
        return self._counts[name]

    def fitting(self) -> tuple[str, ...]:
        """The metrics that say something of these rows, in the order of METRICS.

        JSON and numbers where every reference has them, tool calls where one has; the others where
        what they need is known.
        """
        json, numbers = (
            self.num_counted(name) == len(self) for name in ("json_equal", "number_match")
        )
        fits = {
            "json_valid": json,
            "json_equal": json,
            "number_match": numbers,
            "tool_calls": any(calls_of(row.reference_calls, row.reference) for row in self.rows),
            "format_rate": self.asked.pattern is not None,
            "ends": all(row.ended is not None for row in self.rows),
        }
        return (*(name for name in METRICS if fits.get(name, True)), *self.asked.own)

    def _metric(self, name: str) -> Metric:
        if name in self.asked.own:
            return Metric(partial(own_count, name))
        if name not in METRICS:
            raise DataError(
                f"there is no metric {name!r} for texts that a model writes",
                fix=f"use one of {', '.join((*METRICS, *self.asked.own))}, or path/file.py:function",
            )
        return METRICS[name]
