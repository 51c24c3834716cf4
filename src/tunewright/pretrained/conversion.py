"""A file of weights becomes a model folder by a process of its own, as reading one may take a framework.

What the process takes of memory goes with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError


def convert_apart(module: str, source: Path, into: Path) -> None:
    """Run `python -m MODULE SOURCE INTO`, which fills the folder.

    Raises:
        ModelError: what the module said, or how it ended.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, str(source.absolute()), str(into.absolute())],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    if done.returncode != 0:
        raise _failed(source, done)


def _failed(source: Path, done: subprocess.CompletedProcess[str]) -> ModelError:
    if done.returncode == 2 and done.stdout.strip():
        said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return ModelError(said["what"], fix=said["fix"])
    if done.returncode < 0:
        return ModelError(
            f"converting {source} was ended by signal {-done.returncode}",
            fix="a large model needs memory for twice its float32 weights; free some",
        )
    lines = done.stderr.strip().splitlines() or ["nothing was said"]
    return ModelError(f"converting {source} failed: {lines[-1][:300]}", fix="report it")
