"""The usual way through a bench of real data sets: one after the other, each kept as it comes."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, machine
from bench.quality import DATA, ROOT


def set_by_set(
    file: str, sets: Iterable[str], of_set: Callable[[str, Path], Any]
) -> dict[str, Any]:
    """What is known of each set, those measured that the command line names, or all.

    Args:
        file: in results/, where it is kept.
        of_set: a set's name and a scratch folder to what is found.
    """
    path, names = RESULTS / file, list(sets)
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"sets": {}}
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in [name for name in names if name in sys.argv[1:]] or names:
            known["sets"][name] = of_set(name, Path(scratch))
            known["machine"] = machine()
            path.write_text(json.dumps(known, indent=1) + "\n")
    sets_known: dict[str, Any] = known["sets"]
    return sets_known
