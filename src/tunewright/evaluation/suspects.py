"""Rows whose label looks wrong, and rows far from all others, as the report shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tunewright.data.findings import Finding
from tunewright.recipe.schema import Reads

CODES = ("label-error", "outlier")


def suspects(findings: Iterable[Finding], reads: Reads = "text") -> list[dict[str, Any]]:
    """In the order of their ranks, the doubted labels first.

    Returns:
        [{"code", "text" or "image", "label", "suggested", "confidence", "distance", "place"}];
        what a row does not have is None.
    """
    by_code = {finding.code: finding for finding in findings}
    return [
        {
            "code": code,
            ("image" if reads == "image" else "text"): row["text"],
            "label": row.get("label"),
            "suggested": row.get("suggested"),
            "confidence": row.get("confidence"),
            "distance": row.get("distance"),
            "place": row["place"],
        }
        for code in CODES
        if code in by_code
        for row in by_code[code].rows
    ]
