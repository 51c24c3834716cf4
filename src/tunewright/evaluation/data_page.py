"""The page of `check --html`: what the data holds, what was found, and rows to keep or leave out.

Texts and labels are the users' data and may be hostile. They reach the page as JSON that its one script
writes as plain text; the page allows itself no other script, and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.data.findings import KEPT_ROWS
from tunewright.evaluation.report import FOLDER, page
from tunewright.evaluation.svg import Scale, drawing, element, text, titled

MOST_CLASSES = 20
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 220, 16, 34, 24
BINS = 24


def write_data_page(
    path: Path,
    *,
    source: str,
    lengths: Mapping[str, NDArray[np.int64]],
    classes: Mapping[str, Counter[str]],
    findings: Sequence[Mapping[str, Any]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        lengths: part → characters of each row, without numbers where rows are pictures.
        classes: part → rows of each class, empty where rows have none.
        findings: as `Findings.as_json` has them, with as many rows as there are to read.
    """
    from markupsafe import Markup

    script = (FOLDER / "data_page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    written = page(
        "data_page.html.jinja",
        styles=["data_page.css"],
        source=source,
        sizes={part: len(each) for part, each in lengths.items()},
        severities=Counter(str(finding["severity"]) for finding in findings),
        lengths=Markup(length_chart(lengths)),  # noqa: S704
        classes=class_table(classes),
        findings=findings,
        kept=KEPT_ROWS,
        content=Markup(_as_island(findings)),  # noqa: S704
        script=Markup(script),  # noqa: S704
        digest=digest,
    )
    durable.write_bytes(path, written.encode("utf-8"))


def _as_island(findings: Sequence[Mapping[str, Any]]) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(findings, ensure_ascii=True).replace("<", "\\u003c").replace("&", "\\u0026")


def class_table(classes: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """The most common classes with their rows in every part, and how many more there are."""
    total: Counter[str] = Counter()
    for counts in classes.values():
        total.update(counts)
    ranked = sorted(total, key=lambda name: (-total[name], name))
    most = max(total.values(), default=1)
    rows = [
        {"name": name, "share": total[name] / most, "counts": [c[name] for c in classes.values()]}
        for name in ranked[:MOST_CLASSES]
    ]
    return {"rows": rows, "parts": list(classes), "more": ranked[MOST_CLASSES:]}


def length_chart(lengths: Mapping[str, NDArray[np.int64]]) -> str:
    """Bars of how many texts have how many characters, on a scale of equal factors; "" without any."""
    every = np.concatenate(list(lengths.values())) if lengths else np.array([])
    every = every[every > 0]
    if not len(every):
        return ""
    low, high = float(every.min()), float(every.max()) + 1
    edges = np.unique(np.round(np.geomspace(low, high, BINS + 1)))
    counts, _ = np.histogram(every, edges)
    x = Scale(float(np.log(low)), float(np.log(high)), LEFT, WIDTH - LEFT)
    y = Scale(0, float(counts.max()), HEIGHT - BOTTOM, TOP)
    parts = []
    for count, start, end in zip(counts.tolist(), edges.tolist(), edges[1:].tolist(), strict=False):
        left, right, top = x(np.log(start)), x(np.log(end)), y(count)
        said = f"{count:,} texts of {start:,.0f} to {end - 1:,.0f} characters"
        shape = {"x": left, "y": top, "width": max(right - left - 1, 1), "height": y(0) - top}
        parts.append(titled("rect", said, class_="bar", **shape))
    marks = np.unique(np.round(np.quantile(every, [0, 0.5, 0.95, 1])))
    last = -60.0
    for mark in marks.tolist():
        if x(np.log(mark)) - last > 45:
            last = x(np.log(mark))
            parts.append(
                text(f"{mark:,.0f}", last, HEIGHT - 16, text_anchor="middle", class_="tick")
            )
    parts.append(element("line", x1=LEFT, x2=WIDTH - LEFT, y1=y(0), y2=y(0), class_="grid"))
    median = f"half of the texts have {np.median(every):,.0f} characters or fewer"
    return drawing(parts, WIDTH, HEIGHT, f"Lengths of texts: {median}")
