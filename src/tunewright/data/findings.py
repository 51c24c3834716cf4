"""What the data check noticed, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tunewright.data.rows import Rows
from tunewright.errors import DataError

SCHEMA_VERSION = 1
SHOWN_ROWS = 20
SHOWN_CHARACTERS = 200
Severity = Literal["error", "warning", "note"]
Place = tuple[Rows, int]


@dataclass(frozen=True)
class Finding:
    """One thing that the check noticed.

    Args:
        code: stable name, such as 'leak'.
        severity: an error must be mended before training; a warning and a note need not be.
        count: how many rows, or labels, it is about.
        rows: at most 20 of them, {"place", "file", "line" or "row", "text"}.
    """

    code: str
    severity: Severity
    message: str
    fix: str
    count: int
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Findings:
    """All findings of one check, the worst first."""

    findings: tuple[Finding, ...]

    def refuse_errors(self) -> None:
        """Raise the first error among the findings, with its first place; else do nothing.

        Raises:
            DataError: what the finding says, and its fix.
        """
        for finding in self.findings:
            if finding.severity == "error":
                place = f" (first: {finding.rows[0]['place']})" if finding.rows else ""
                raise DataError(f"{finding.code}: {finding.message}{place}", fix=finding.fix)

    def as_json(self) -> dict[str, Any]:
        """The document of `check --json` and data/findings.json."""
        return {
            "schema_version": SCHEMA_VERSION,
            "findings": [
                asdict(finding) | {"rows": list(finding.rows)} for finding in self.findings
            ],
        }


def show(places: Iterable[Place]) -> tuple[dict[str, Any], ...]:
    """Up to 20 rows with their place and the beginning of their text."""
    shown: list[dict[str, Any]] = []
    for rows, index in places:
        if len(shown) == SHOWN_ROWS:
            break
        text = rows.texts[index]
        cut = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
        row: dict[str, Any] = {
            "place": rows.place(index),
            "file": rows.source,
            rows.unit: int(rows.numbers[index]),
            "text": cut,
        }
        if rows.labels is not None:
            row["label"] = rows.labels[index]
        shown.append(row)
    return tuple(shown)
