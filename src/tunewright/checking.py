"""Checks data without training."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.data.check import check_index, of_tables
from tunewright.data.checks.index import Index, look
from tunewright.data.exclusions import exclusion, without_excluded, write_exclusions
from tunewright.data.findings import Findings
from tunewright.data.fix import write_fixed
from tunewright.data.labels import of_row
from tunewright.data.prepare import prepare, read_parts, rows_of_parts
from tunewright.data.removals import removals
from tunewright.data.rows import joined_texts
from tunewright.durable import make_folder
from tunewright.history.request import read_request
from tunewright.pretrained.catalog import resolve_model
from tunewright.recipe.schema import Recipe


def check(
    source: str | Path,
    *,
    settings: Sequence[str] = (),
    fix: str | Path | None = None,
    exclude: str | Path | None = None,
    html: str | Path | None = None,
    **keys: Any,
) -> dict[str, Any]:
    """Findings in the user's data: {"schema_version", "findings": […]}, the worst first.

    Where a model is named, also what it finds in the rows that a run would train and validate on;
    the rows that would be sealed are left alone. An error among the others comes first: with one
    there is nothing to split. The answer then has "not_looked_for" too: code → why.

    Args:
        source: as for `run`.
        settings: recipe settings as `a.b=c`, such as `data.columns.text=review`, `model=minilm`.
        fix: where to write a cleaned copy (a folder where there are several parts), and beside it
            NAME.changes.jsonl; the answer then has "fixed" too.
        exclude: where to list the rows that a cleaned copy would be without, for data.exclude; the
            answer then has "excluded" too.
        html: a file for the page with charts, and with rows to read and to leave out.
    Raises:
        DataError: the data cannot be read, or nothing can be learned from it.
    """
    recipe = read_request(source, keys, settings)
    tables = read_parts(recipe.data, skip=True)
    rows, columns = rows_of_parts(tables, recipe.data, recipe.task)
    rows, _ = without_excluded(rows, recipe.data.exclude)
    index = look(rows, columns.kind)
    findings = check_index(index).and_also(of_tables(tables, columns, recipe.data))
    more = {}
    if "model" in recipe.model_fields_set:
        findings, more["not_looked_for"] = _with_model(recipe, findings)
    found = findings.as_json() | more
    if fix is not None:
        texts = [name for name in (columns.text, columns.text_pair) if name is not None]
        found["fixed"] = write_fixed(tables, index, Path(fix), texts)
    if exclude is not None:
        found["excluded"] = _list_rows(index, Path(exclude))
    if html is not None:
        _write_page(Path(html), str(source), index, findings)
    return found


def _with_model(recipe: Recipe, findings: Findings) -> tuple[Findings, dict[str, str]]:
    """The findings with those of the model among them; and what it did not look for, and why."""
    from tunewright.adapting import adapt
    from tunewright.suspecting import CODES, look_for_suspects

    if errors := findings.errors(recipe.data.allow):
        return findings, dict.fromkeys(CODES, f"{errors[0].code} is an error to mend first")
    with tempfile.TemporaryDirectory() as folder:  # for a seal that nobody will open
        place = make_folder(Path(folder) / "data").parent
        prepared = prepare(recipe.data, recipe.seed, place, task=recipe.task)
        adapted = adapt(recipe, resolve_model(recipe.model, revision=recipe.revision), prepared)
        found = look_for_suspects(adapted, prepared)
    return findings.and_also(found.findings), found.left_out


def _list_rows(index: Index, path: Path) -> dict[str, Any]:
    gone = removals(index)
    write_exclusions(path, (exclusion(index.parts[r.part], r.row, r.code) for r in gone))
    return {"path": str(path), "rows": len(gone)}


def _write_page(path: Path, source: str, index: Index, found: Findings) -> None:
    import numpy as np

    from tunewright.evaluation.data_page import write_data_page

    lengths = {
        part: np.zeros(len(rows), np.int64)
        if rows.reads == "image"
        else np.fromiter(map(len, joined_texts(rows)), np.int64, len(rows))
        for part, rows in index.parts.items()
    }
    classes = {
        part: Counter(name for label in rows.labels or () for name in of_row(label, index.kind))
        for part, rows in index.parts.items()
    }
    write_data_page(
        path, source=source, lengths=lengths, classes=classes, findings=found.with_all_rows()
    )
