"""The stage `prepare`: read, recognise, check, split, seal."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tunewright.data.chat.forms import COLUMNS
from tunewright.data.check import check_index, excluded, of_tables
from tunewright.data.checks.hopeless import MIN_ROWS, MIN_UNTESTED
from tunewright.data.checks.index import look
from tunewright.data.checks.near import num_apart
from tunewright.data.columns import Columns, find_columns
from tunewright.data.deviation import deviation
from tunewright.data.exclusions import without_excluded
from tunewright.data.findings import Findings
from tunewright.data.labels import counts, sorted_labels, targets
from tunewright.data.near import Near
from tunewright.data.parts import PARTS
from tunewright.data.read import read_data, read_table
from tunewright.data.rows import Rows, build_rows
from tunewright.data.seal import Seal, seal_part
from tunewright.data.split import By, split_rows
from tunewright.data.suspects import read_suspects
from tunewright.data.table import PICTURE, Table
from tunewright.durable import replacing, write_json
from tunewright.errors import DataError, RecipeError
from tunewright.recipe.schema import Data, Kind


@dataclass(frozen=True)
class Prepared:
    """What training may see, and the seal of what it may not.

    Args:
        labels: every label, numbers in order of size, else in order of the alphabet; where rows
            have a number each, the name of its column.
        split_by: stratified, group, time or given; `split_reason` says why.
        counts: part → rows of each label; `sizes`: part → rows.
        left_out: rows that are used in no part (unreadable, empty, or leaking); `excluded`: rows that
            data.exclude names.
        near_apart: rows of a dealt part that are near copies of a row in another.
        deviation: the label whose share in a part differs most from its share in all rows.
    """

    train: Rows
    validation: Rows
    seal: Seal
    labels: tuple[str, ...]
    columns: Columns
    findings: Findings
    split_by: By | Literal["given"]
    split_reason: str
    counts: dict[str, list[int]]
    sizes: dict[str, int]
    left_out: int
    excluded: int = 0
    near_apart: int = 0
    deviation: dict[str, Any] | None = None

    @property
    def kind(self) -> Kind:
        """What a label is."""
        return self.columns.kind

    def targets_of(self, part: Literal["train", "validation"]) -> np.ndarray:
        """What is learned of each row: see `labels.targets`."""
        return targets(getattr(self, part), self.labels, self.kind)

    @property
    def data_hash(self) -> str:
        """sha256 over the row ids of all parts."""
        return _data_hash(self.train, self.validation, self.seal)


def _data_hash(train: Rows, validation: Rows, seal: Seal) -> str:
    text = "\n".join([*sorted(train.ids), "", *sorted(validation.ids), seal.hash])
    return hashlib.sha256(text.encode()).hexdigest()


def read_parts(data: Data, *, skip: bool = False) -> dict[str, Table]:
    """The tables that a recipe names: {"all": …}, or train, validation and test.

    Args:
        skip: pass over lines that are no rows; the tables know which.

    Raises:
        DataError, RecipeError: nothing named, unreadable, or a part named twice.
    """
    if data.train is None:
        raise RecipeError("the recipe names no data", fix="give data.train a file or a folder")
    tables = read_data(data.train, skip=skip)
    for part, path in (("validation", data.validation), ("test", data.test)):
        if path is None:
            continue
        if part in tables:
            raise RecipeError(
                f"data.{part} is given, and {data.train} has a {part} part too",
                fix=f"take data.{part} out, or name the training file itself",
            )
        tables[part] = read_table(path, skip=skip)
    if "all" in tables and len(tables) > 1:
        tables["train"] = tables.pop("all")
    return tables


def rows_of_parts(
    tables: Mapping[str, Table], data: Data, task: str = "auto", beside: Sequence[str] = ()
) -> tuple[dict[str, Rows], Columns]:
    """The tables as rows, all with the columns and the task that the first of them has.

    Args:
        beside: names of columns that are kept with the rows.
    """
    wanted = data.columns
    columns = find_columns(
        next(iter(tables.values())),
        text=wanted.text,
        text_pair=wanted.text_pair,
        image=wanted.image,
        label=wanted.label,
        task=task,
        **{part: getattr(wanted, part) for part in COLUMNS},
    )
    rows = {}
    for part, table in tables.items():
        rows[part] = build_rows(
            table,
            same_columns(table, columns),
            group=data.group,
            time=data.time,
            beside=beside,
        )
    return rows, columns


def same_columns(table: Table, columns: Columns) -> Columns:
    """The columns of that name in another table, for the same task.

    A folder of pictures has no names of its own: its columns are found.
    """
    names = columns.in_recipe
    if columns.form is not None:
        names["tools"] = columns.form.tools
        return find_columns(
            table,
            text=names["text"],
            label=None,
            task=columns.task,
            need_label=False,
            **{part: names[part] for part in COLUMNS},
        )
    if columns.reads == "image" and columns.text not in table.columns:
        names["image"] = "auto"
    found = find_columns(
        table,
        text=names["text"],
        text_pair=names["text_pair"],
        image=names["image"],
        label="auto" if table.of_pictures else columns.label or "auto",
        task=columns.task,
    )
    return replace(found, separator=columns.separator)


def prepare(
    data: Data, seed: int, run_folder: Path, *, task: str = "auto", beside: Sequence[str] = ()
) -> Prepared:
    """Three parts from the user's data, the test part sealed in the run folder.

    In a run that has its seal, the same rows are dealt again, or the seal refuses them.
    Writes data/findings.json, data/splits.csv and the seal.

    Args:
        beside: names of columns that are kept with the rows.
    Raises:
        DataError: the data cannot be read or learned from; the finding is named.
    """
    tables = read_parts(data, skip="unreadable-line" in data.allow)
    rows, columns = rows_of_parts(tables, data, task, beside)
    rows, num_excluded = without_excluded(rows, data.exclude)
    num_read = sum(map(len, rows.values())) + sum(len(t.unreadable) for t in tables.values())
    kind = columns.kind
    index = look(rows, kind)
    fewest = MIN_UNTESTED if data.leaves_out("test") else MIN_ROWS
    findings = check_index(index, fewest).and_also(of_tables(tables, columns, data))
    findings.refuse_errors(data.allow)
    out = excluded(index)
    kept = {
        part: some.take(np.setdiff1d(np.arange(len(some)), np.fromiter(out[part], np.int64)))
        for part, some in rows.items()
    }
    split_by, reason = choose_split(data, kept)
    seed = seed if data.split.seed is None else data.split.seed
    dealt = deal(kept, data, split_by, seed, kind, index.near)
    parts = without_leaks(dealt)
    for part in PARTS:
        if not len(parts[part]) and not data.leaves_out(part):
            raise DataError(f"no rows are left for {part}", fix="give more rows")
    labels = sorted_labels(parts["train"].labels or (), kind, str(columns.label))
    for part in ("validation", "test"):
        targets(parts[part], labels, kind)
    found = {part: counts(parts[part].labels or (), labels, kind) for part in PARTS}
    seal = seal_part(run_folder, parts["test"])
    _write_splits(parts, run_folder / "data" / "splits.csv")
    suspects = read_suspects(run_folder)
    if suspects and suspects.data_hash == _data_hash(parts["train"], parts["validation"], seal):
        findings = findings.and_also(suspects.findings)
    write_findings(run_folder, findings)
    return Prepared(
        train=parts["train"],
        validation=parts["validation"],
        seal=seal,
        labels=labels,
        columns=columns,
        findings=findings,
        split_by=split_by,
        split_reason=reason,
        counts=found,
        sizes={part: len(parts[part]) for part in PARTS},
        left_out=num_read - sum(map(len, parts.values())),
        excluded=num_excluded,
        near_apart=num_apart(index.near, parts, given=set(kept)),
        deviation=deviation(found, labels),
    )


def choose_split(data: Data, parts: Mapping[str, Rows]) -> tuple[By | Literal["given"], str]:
    """What keeps the parts apart, and why.

    Raises:
        RecipeError: a split is asked for that the data cannot have.
    """
    asked = data.split.by
    if asked == "given":
        if set(parts) != set(PARTS):
            raise RecipeError(
                f"data.split.by is given, but the parts are {', '.join(parts)}",
                fix="name data.train, data.validation and data.test",
            )
        return "given", "asked for"
    for kind, column in (("group", data.group), ("time", data.time)):
        if asked == kind and column is None:
            raise RecipeError(
                f"data.split.by is {kind}, but data.{kind} names no column", fix=f"give data.{kind}"
            )
    if set(parts) == set(PARTS):
        _refuse_to_split(data)
        return "given", "all three parts are given"
    if asked != "auto":
        return asked, "asked for"
    if data.group is not None:
        return "group", f"rows with the same {data.group} stay together"
    if data.time is not None:
        return "time", f"the latest rows by {data.time} are the test part"
    return "stratified", "every label has its share in every part"


def _refuse_to_split(data: Data) -> None:
    """Raise when the recipe asks for a split; called where there is nothing left to split."""
    wishes = {
        "data.split.by": None if data.split.by == "auto" else data.split.by,
        "data.time": data.time,
    }
    for key, wish in wishes.items():
        if wish is not None:
            raise RecipeError(
                f"{key} is {wish}, but train, validation and test are all given: "
                "nothing is left to split",
                fix="take it out, or set data.split.by to given to keep the parts as they are",
            )


def deal(
    kept: Mapping[str, Rows],
    data: Data,
    by: By | Literal["given"],
    seed: int,
    kind: Kind,
    near: Near,
) -> dict[str, Rows]:
    """The three parts: those given as they are, the others out of the training rows."""
    source = kept.get("all", kept.get("train"))
    if source is None or by == "given":
        return dict(kept)
    indices = split_rows(
        source,
        by=by,
        validation=0.0 if "validation" in kept else data.split.validation,
        test=0.0 if "test" in kept else data.split.test,
        seed=seed,
        kind=kind,
        near=near.links(source.text_keys()),
    )
    return {
        part: kept.get(part) or source.take(indices[part]) for part in PARTS if part != "train"
    } | {"train": source.take(indices["train"])}


def without_leaks(parts: Mapping[str, Rows]) -> dict[str, Rows]:
    """The parts, less rows of training or validation whose text is in a later part too.

    A split keeps equal texts together, but groups that are chained by common texts cannot.
    """
    out = excluded(look(parts))
    return {
        part: rows.take([row for row in range(len(rows)) if row not in out[part]])
        for part, rows in parts.items()
    }


def write_findings(run_folder: Path, findings: Findings) -> None:
    """Write data/findings.json: with places but no texts, as some may be sealed."""
    content = findings.as_json()
    for finding in content["findings"]:
        finding["rows"] = [_without_text(row) for row in finding["rows"]]
    write_json(run_folder / "data" / "findings.json", content)


def _without_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a finding by its number alone: the place of a picture in a folder is its name."""
    kept = {key: value for key, value in row.items() if key != "text"}
    return kept | (
        {"place": f"{PICTURE} {row[PICTURE]} of {row['file']}"} if PICTURE in row else {}
    )


def _write_splits(parts: Mapping[str, Rows], path: Path) -> None:
    """Row id, part and place of every row; no texts, so the test part stays sealed."""
    with replacing(path) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
        writer.writerow(["id", "part", "source", parts["train"].unit])
        for part in PARTS:
            rows = parts[part]
            for row_id, number in zip(rows.ids, rows.numbers.tolist(), strict=True):
                writer.writerow([row_id, part, rows.source, number])


def split_facts(prepared: Prepared) -> dict[str, Any]:
    """The split table of the report."""
    return {
        "labels": list(prepared.labels),
        "parts": prepared.counts,
        "rows": prepared.sizes,
        "near_apart": prepared.near_apart,
        "deviation": prepared.deviation,
    }
