"""A whole run, final test included, on a file that is larger than the memory it may use.

Every row is a review sentence and, to make a long document of it, many others. The process may not
have as much data as the file has (RLIMIT_DATA counts what is reserved too: libraries take about 1 GiB,
of which they touch a tenth). Linux only. Words after the command: rows, and characters of each.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.beside import RESULTS, ROOT, machine, minilm, read_rows
from tunewright.durable import read_lines
from tunewright.pretrained.example_data import fetch_example

ROWS, CHARACTERS = 30_000, 80_000
MIB = 1 << 20
SETTINGS = ("train.strategy=head", "train.epochs=2", "train.max_length=32")


def main() -> None:
    """Measure, print the table, keep it in results/larger.json."""
    rows, characters = [int(word) for word in sys.argv[1:3]] or (ROWS, CHARACTERS)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "documents.csv"
        write_documents(file, rows, characters)
        size = file.stat().st_size
        found = run_limited(file, Path(scratch) / "runs", limit=size)
    facts = {"rows": rows, "file_mib": size // MIB, **found}
    RESULTS.mkdir(exist_ok=True)
    kept = {"machine": machine(), **facts}
    (RESULTS / "larger.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(f"| {' | '.join(facts)} |\n|{'---|' * len(facts)}")
    print(f"| {' | '.join(map(str, facts.values()))} |")


def write_documents(file: Path, rows: int, characters: int) -> None:
    """A CSV of `rows` long texts, each with the label of its first sentence."""
    known = read_rows(fetch_example("reviews"))
    draw = random.Random(0)
    each = characters * len(known) // sum(len(text) for text, _ in known)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label"])
        for _ in range(rows):
            first, label = draw.choice(known)
            others = (text for text, _ in draw.choices(known, k=each))
            writer.writerow([" ".join([first, *others]), label])


def run_limited(file: Path, runs: Path, *, limit: int) -> dict[str, Any]:
    """Seconds of each stage, MiB at the most, and the test score, of a run under the limit."""
    sets = [word for setting in (f"model={minilm()}", *SETTINGS) for word in ("--set", setting)]
    command = [sys.executable, "-m", "tunewright.cli.main", "run", str(file), "--test", *sets]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TUNEWRIGHT_RUNS": str(runs),
        "TUNEWRIGHT_CACHE": str(runs.parent / "cache"),  # the file's rows go there too
    }
    with subprocess.Popen(
        [*command, "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    ) as process:
        most = watch(process)
        answer = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}")
    result = json.loads(answer.strip().splitlines()[-1])
    events = read_lines(Path(result["model"]["path"]).parent / "events.jsonl")
    stages = [(event["stage"], event["time"]) for event in events if event["event"] == "stage"]
    ends = [began for _, began in stages[1:]] + [events[-1]["time"]]
    return {
        "private_mib": most // MIB,
        **{
            f"{name}_s": round(end - began) for (name, began), end in zip(stages, ends, strict=True)
        },
        "test_accuracy": round(result["test"]["accuracy"]["value"], 3),
    }


def watch(process: subprocess.Popen[str]) -> int:
    """Bytes that were resident and not of a mapped file, at the most."""
    most = 0
    while process.poll() is None:
        try:
            memory = psutil.Process(process.pid).memory_info()
        except psutil.Error:
            break
        most = max(most, memory.rss - memory.shared)
        time.sleep(0.1)
    return most


if __name__ == "__main__":
    main()
