"""What the data check noticed, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

from tunewright.data.chat.conversation import shown
from tunewright.data.private.masked import masked
from tunewright.data.rows import Rows
from tunewright.errors import DataError

SCHEMA_VERSION = 1
SHOWN_ROWS, KEPT_ROWS = 20, 200
SHOWN_CHARACTERS = 200
MASKED_CHARACTERS = 2_000  # read of a text to show its beginning: what is private may be long
Severity = Literal["error", "warning", "note"]
Place = tuple[Rows, int]
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One thing that the check noticed.

    Args:
        code: stable name, such as 'leak'.
        severity: an error must be mended before training; a warning and a note need not be.
        count: how many rows, or labels, it is about.
        rows: at most 200 of them, 20 in JSON, {"place", "file", "line" or "row", "id", "text"}, with
            what is private in the text masked; of codes that say how rows are written also "field"
            and "problem", and a row is there for each field; of those of a model what it thinks of
            the row.
        ids: of all rows that it is about, where the check tells; they are written nowhere that
            people read.
    """

    code: str
    severity: Severity
    message: str
    fix: str
    count: int
    rows: tuple[dict[str, Any], ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """All findings of one check, the worst first."""

    findings: tuple[Finding, ...]

    def and_also(self, more: Iterable[Finding]) -> Findings:
        """These and more, the worst first."""
        found = (*self.findings, *more)
        return Findings(tuple(sorted(found, key=lambda finding: _ORDER[finding.severity])))

    def errors(self, allow: Sequence[str] = ()) -> list[Finding]:
        """Those that stop a run, but for the codes that it allows."""
        errors = (finding for finding in self.findings if finding.severity == "error")
        return [finding for finding in errors if finding.code not in allow]

    def refuse_errors(self, allow: Sequence[str] = ()) -> None:
        """Raise the first error among the findings, with its first place; else do nothing.

        Args:
            allow: codes that do not stop a run.
        Raises:
            DataError: what the finding says, and its fix.
        """
        errors = self.errors(allow)
        if not errors:
            return
        worst = errors[0]
        place = f" (first: {_first(worst)})" if worst.rows else ""
        others = len(errors) - 1 if worst.rows and "field" in worst.rows[0] else 0
        more = f"; `tunewright check` lists {others} more kinds of errors" if others > 1 else ""
        more = "; `tunewright check` lists 1 more kind of errors" if others == 1 else more
        raise DataError(f"{worst.code}: {worst.message}{place}{more}", fix=worst.fix)

    def as_json(self) -> dict[str, Any]:
        """The document of `check --json` and data/findings.json."""
        return {
            "schema_version": SCHEMA_VERSION,
            "findings": [
                finding | {"rows": finding["rows"][:SHOWN_ROWS]} for finding in self.with_all_rows()
            ],
        }

    def with_all_rows(self) -> list[dict[str, Any]]:
        """The findings as in JSON, with all rows that are kept of each, for people to read."""
        shown = [asdict(finding) | {"rows": list(finding.rows)} for finding in self.findings]
        return [{key: each[key] for key in each if key != "ids"} for each in shown]


def _first(finding: Finding) -> str:
    """Where the first of its rows is: with the field, and how many more rows, where it has one."""
    row = finding.rows[0]
    if "field" not in row:
        return str(row["place"])
    more = f", and {finding.count - 1} more" if finding.count > 1 else ""
    return f"{row['place']}, {row['field']}{more}"


def ids_of(places: Iterable[Place]) -> tuple[str, ...]:
    """The ids of rows, for `Finding.ids`."""
    return tuple(rows.ids[index] for rows, index in places)


def show(places: Iterable[Place]) -> tuple[dict[str, Any], ...]:
    """Up to 200 rows with their place and the beginning of their text."""
    return tuple(show_row(rows, index) for rows, index in islice(places, KEPT_ROWS))


def show_row(rows: Rows, index: int) -> dict[str, Any]:
    """A row with its place and the beginning of its text; of a conversation, a line per turn."""
    text = rows.texts[index]
    if rows.reads in ("chat", "preference"):
        text = shown(text)
    if rows.reads != "image":
        text = masked(text[:MASKED_CHARACTERS])
    cut = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    row: dict[str, Any] = {
        "place": rows.place(index),
        "file": rows.source,
        rows.unit: int(rows.numbers[index]),
        "id": rows.ids[index],
        "text": cut,
    }
    if rows.labels is not None:
        row["label"] = rows.labels[index]
    return row
