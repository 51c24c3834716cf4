"""What a run leaves behind that must not depend on how often it was killed."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tunewright.durable import read_lines
from tunewright.train.checkpoint import newest_whole, read_progress

CLOCKS = {"rows_per_s", "product_share", "cache_build_s", "cache_saves_s", "wall_s"}


def outcome(run: Path) -> dict[str, str]:
    """SHA-256 of the model, of the last checkpoint's every tensor file, and of the history."""
    last, broken = newest_whole(run / "checkpoints")
    assert last is not None
    assert not broken
    progress = read_progress(last)
    result = json.loads((run / "result.json").read_text())
    events = read_lines(run / "events.jsonl")
    files = [*sorted((run / "model").rglob("*.safetensors")), *sorted(last.glob("*.safetensors"))]
    names = {file.name for file in files}
    assert {"model.safetensors", "weights.safetensors", "optimizer.safetensors"} <= names
    values: dict[str, Any] = {
        "history": progress["history"],
        "best": progress["best"],
        "phases": without_clocks(progress["records"]),
        "evaluated": by_step(events, "evaluated", "scores"),
        "losses": by_step(events, "steps", "loss"),
        "validation": result["validation"],
        "verdict": result["verdict"],
    }
    found = {key: sha256(json.dumps(value).encode()).hexdigest() for key, value in values.items()}
    hashes = {f"{f.parent.name[:4]}/{f.name}": sha256(f.read_bytes()).hexdigest() for f in files}
    return found | hashes


def by_step(events: list[dict[str, Any]], kind: str, key: str) -> dict[int, Any]:
    """The last value of each step: one that was repeated after a kill counts once."""
    return dict(sorted({e["step"]: e[key] for e in events if e["event"] == kind}.items()))


def without_clocks(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in record.items() if k not in CLOCKS} for record in records]


def only_run(runs: Path) -> Path | None:
    """The run in a folder of runs; None while it is not there."""
    return next((path for path in runs.glob("2*") if (path / "run.json").exists()), None)
