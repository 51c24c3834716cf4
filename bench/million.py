"""A million short rows checked: seconds, memory, and how both grow with the rows: docs/million.svg.

Each row is a sentence of 6 to 14 words drawn as words are in a language, few of them often. 2 % of
the rows are there twice, 2 % are near copies with a small edit, and one row in 500 of the training part
is in the test part too. The whole of `tunewright check` is timed: reading, formats, lengths, labels,
duplicates, leaks and near copies. Words after the command: numbers of rows.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, ROOT, machine
from bench.planted_copies import EDITS
from tunewright.evaluation.svg import Scale, drawing, element, text, ticks

ROWS = (125_000, 250_000, 500_000, 1_000_000)
WORDS, TEST_SHARE = 40_000, 0.1
LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


def main() -> None:
    """Measure, print the table, keep it in results/million.json."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(check_once(sys.argv[2])))
        return
    counts = [int(word) for word in sys.argv[1:]] or ROWS
    found = [measure(count) for count in counts]
    kept = {"machine": machine(), "rows": found}
    (RESULTS / "million.json").write_text(json.dumps(kept, indent=1) + "\n")
    (ROOT / "docs" / "million.svg").write_text(picture(found) + "\n")
    print(f"| {' | '.join(found[0])} |\n|{'---|' * len(found[0])}")
    for facts in found:
        print(f"| {' | '.join(map(str, facts.values()))} |")


def measure(rows: int) -> dict[str, Any]:
    """One check in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        write_rows(Path(scratch), rows)
        words = [sys.executable, "-m", "bench.million", "--one", scratch]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
    facts = json.loads(done.stdout)
    return {"rows": rows, **facts, "us_per_row": round(1e6 * facts["seconds"] / rows)}


def check_once(folder: str) -> dict[str, Any]:
    """Seconds, MiB at the most, and what was found."""
    from tunewright.checking import check

    begun = time.perf_counter()
    found = check(folder, settings=["data.columns.text=text", "data.columns.label=label"])
    seconds = time.perf_counter() - begun
    counts = {finding["code"]: finding["count"] for finding in found["findings"]}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    names = ("duplicate", "leak", "near-duplicate", "near-leak")
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "peak_mib": memory,
        **{name: counts.get(name, 0) for name in names},
    }


def picture(found: list[dict[str, Any]]) -> str:
    """Seconds and MiB over thousands of rows, from zero; readable on a light and on a dark page."""
    style = element("style", "text{font:12px sans-serif;fill:#777}.title{font-weight:bold}")
    rows = [facts["rows"] / 1000 for facts in found]
    left = panel("seconds", rows, [facts["seconds"] for facts in found], 56)
    right = panel("MiB at the most", rows, [facts["peak_mib"] for facts in found], 416)
    said = "Seconds and memory of a check, by number of rows"
    return drawing([style, *left, *right], 720, 300, said).replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1
    )


def panel(title: str, rows: list[float], values: list[float], start: float) -> list[str]:
    """Measured points, and the straight line from zero to the last of them."""
    lines = ticks(0, max(values))
    x, y = Scale(0, max(rows), start, start + 230), Scale(0, lines[-1], 250, 40)
    parts = [text(title, start - 30, 20, class_="title")]
    for value in lines:
        parts.append(
            element("line", x1=start, x2=start + 230, y1=y(value), y2=y(value), stroke="#ccc")
        )
        parts.append(text(f"{value:,.0f}", start - 8, y(value) + 4, text_anchor="end"))
    last = {"x2": x(rows[-1]), "y2": y(values[-1])}
    parts.append(element("line", x1=x(0), y1=y(0), **last, stroke="#9ecae1", stroke_dasharray="4"))
    for a, b in zip(rows, values, strict=True):
        parts.append(element("circle", cx=x(a), cy=y(b), r=4, fill="#08519c"))
        parts.append(text(f"{a:,.0f}", x(a), 268, text_anchor="middle"))
    parts.append(text("thousand rows", start + 115, 288, text_anchor="middle"))
    return parts


def write_rows(folder: Path, rows: int) -> None:
    """train.csv and test.csv with that many rows in all."""
    draw = random.Random(0)
    words = ["".join(draw.choices(LETTERS, k=draw.randrange(2, 10))) for _ in range(WORDS)]
    often = [1 / (rank + 10) for rank in range(WORDS)]
    kinds = list(EDITS.values())
    pool = draw.choices(words, often, k=15 * rows)  # so many that rows by chance share little
    writers = {}
    for part in ("train", "test"):
        file = (folder / f"{part}.csv").open("w", encoding="utf-8", newline="")
        writers[part] = (file, csv.writer(file))
        writers[part][1].writerow(["text", "label"])
    last: list[str] = []
    for row in range(rows):
        start = draw.randrange(len(pool) - 20)
        text, chance = pool[start : start + draw.randrange(6, 15)], draw.random()
        part = "test" if draw.random() < TEST_SHARE else "train"
        if last and chance < 0.02:
            text = last
        elif last and chance < 0.04:
            text = draw.choice(kinds)(last, draw, words)
        writers[part][1].writerow([" ".join(text), f"label {row % 20}"])
        last = text
    for file, _ in writers.values():
        file.close()


if __name__ == "__main__":
    main()
