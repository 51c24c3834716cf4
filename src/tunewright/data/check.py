"""What is wrong with the rows: found before training, with place and fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunewright.data.checks.classes import classes, spellings
from tunewright.data.checks.content import of_content
from tunewright.data.checks.drift import drift
from tunewright.data.checks.groups import group_leaks, suggested_groups
from tunewright.data.checks.hopeless import MIN_ROWS, refuse_hopeless
from tunewright.data.checks.html import html
from tunewright.data.checks.index import Index, Parts, also_in, look, pairs_of_parts
from tunewright.data.checks.languages import language_mix
from tunewright.data.checks.long_text import long_text
from tunewright.data.checks.mojibake import mojibake
from tunewright.data.checks.near import near_duplicates, near_leaks
from tunewright.data.checks.picture_content import picture_content
from tunewright.data.checks.private import private
from tunewright.data.checks.same import duplicates, leaks
from tunewright.data.checks.shortcuts import shortcuts
from tunewright.data.checks.unreadable import unreadable_lines
from tunewright.data.columns import Columns
from tunewright.data.findings import Finding, Findings
from tunewright.data.table import Table
from tunewright.recipe.schema import Data, Kind


def check_rows(parts: Parts, kind: Kind = "one") -> Findings:
    """Findings over all parts: {"all": rows}, or rows under train, validation and test.

    Args:
        kind: what a label is.
    Raises:
        DataError: as `check_index`.
    """
    return check_index(look(parts, kind))


def check_index(index: Index, fewest: int = MIN_ROWS) -> Findings:
    """Findings over all parts, the worst first.

    Raises:
        DataError: nothing can be learned: no rows, only empty texts, one class, fewer than
            `fewest` rows, nearly as many classes as rows.
    """
    refuse_hopeless(index, fewest)
    found = [
        *of_content(index),
        *duplicates(index),
        *leaks(index),
        *near_duplicates(index),
        *near_leaks(index),
        *group_leaks(index),
        *classes(index),
        *spellings(index),
        *long_text(index),
        *mojibake(index),
        *html(index),
        *private(index),
        *language_mix(index),
        *shortcuts(index),
        *drift(index),
        *picture_content(index),
    ]
    return Findings(()).and_also(found)


def of_tables(tables: Mapping[str, Table], columns: Columns, data: Data) -> Iterator[Finding]:
    """Findings about files and columns, which the rows do not show."""
    yield from unreadable_lines(tables)
    yield from suggested_groups(tables, columns, data)


def excluded(index: Index) -> dict[str, set[int]]:
    """Indices of each part that must not be used.

    Rows with empty texts, or pictures that cannot be read; rows of training that are also in validation or test, and rows of
    validation that are also in test. A given test part stays whole.
    """
    left_out = {part: set(rows) for part, rows in index.empty.items()}
    for part, other in pairs_of_parts(index.parts):
        left_out[part] |= set(also_in(index, part, other))
    return left_out
