"""A server that schemathesis asks whatever its own OpenAPI document allows, and does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attacks.world import World
from tunewright.serve.described import document

CONFIG = Path(__file__).with_name("schemathesis.toml")
LIMIT_S = 3600


def fuzz(
    world: World, folder: Path, *, per_route: int, phases: Sequence[str] = ("fuzzing",)
) -> dict[str, Any]:
    """Ask every route so many things.

    Args:
        folder: for what schemathesis writes.
        phases: examples, coverage, fuzzing, stateful.
    Returns:
        schemathesis' own report, and `text`, what it said.
    """
    config, report, schema = (
        folder / name for name in ("schemathesis.toml", "report.json", "openapi.json")
    )
    schema.write_text(json.dumps(document(world.app)), "utf-8")
    config.write_text(CONFIG.read_text("utf-8") + _of(world), "utf-8")
    config.chmod(0o600)
    words = ["--config-file", str(config), "run", str(schema)]
    words += ["--url", f"http://127.0.0.1:{world.port}"]
    words += ["--phases", ",".join(phases), "--max-examples", str(per_route)]
    words += ["--report-json-path", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    text = done.stdout + done.stderr
    found = json.loads(report.read_text("utf-8")) if report.exists() else {}
    return {**found, "text": text.replace(world.key, "KEY")}


def _of(world: World) -> str:
    """What this server knows, so that half of all names lead somewhere."""
    known = {f"path.{name}": each for name, each in world.known.items() if name.endswith("_id")}
    known |= {"path.checkpoint": world.known["checkpoint"], "path.model": "tiny"}
    fields = ("model", "training_file", "input_file_id", "endpoint", "filename", "purpose")
    known |= {f"body.{name}": world.known[name] for name in fields}
    lines = ["", "[auth.openapi.key]", f'bearer = "{world.key}"', "", "[dictionaries]"]
    lines += [f'"{name}" = {{ values = {json.dumps([known[name]])} }}' for name in known]
    lines += ["", "[parameters]"]
    lines += [f'"{name}" = {{ dictionary = "{name}", probability = 0.5 }}' for name in known]
    return "\n".join([*lines, ""])
