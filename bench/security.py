"""Every route of the server × nine kinds of attack, and what schemathesis makes of its document.

    python -m bench.security                                   the table
    python -m bench.security schemathesis [--cases=2000]       cases on the server's own OpenAPI

Both are kept in bench/results/security.json. A server in this process, over real HTTP on loopback,
with keys on; the attacks and the judging of answers are those of tests/attacks.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, ROOT

sys.path.insert(0, str(ROOT / "tests"))
FILE = RESULTS / "security.json"


def main() -> None:
    """Attack, print and keep."""
    numbers = dict(word.removeprefix("--").split("=") for word in sys.argv[1:] if "=" in word)
    with tempfile.TemporaryDirectory() as folder:
        if "schemathesis" in sys.argv[1:]:
            part, is_good = fuzzed(Path(folder), int(numbers.get("cases", 2000)))
        else:
            part, is_good = attacked(Path(folder))
    before = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    FILE.write_text(json.dumps({**before, **part}, indent=1) + "\n", "utf-8")
    sys.exit(0 if is_good else 1)


def attacked(folder: Path) -> tuple[dict[str, Any], bool]:
    """The table."""
    from attacks.table import fill, let_in, logged, summary
    from attacks.world import world_in

    started = time.monotonic()
    with logged() as log, world_in(folder) as world:
        before = world.state()
        cells = fill(world)
        changed = world.state() != before
        found, answers = summary(cells), let_in(world)
    secrets = sum(key in line for key in (world.key, world.revoked) for line in log)
    wrong = [each for kind in found.values() for each in kind["wrong"]]
    print(f"{len(answers)} routes, {len(cells)} cells, {time.monotonic() - started:.0f} s")
    print(f"{'attack':15} {'routes':>6} {'asked':>6} {'in':>3} {'500':>3}  statuses; empty cells")
    for name, kind in found.items():
        statuses = " ".join(f"{status}×{count}" for status, count in kind["statuses"].items())
        empty = "".join(f"; {count}: {why}" for why, count in kind["empty"].items())
        row = (kind["routes"], kind["requests"], kind["accepted"], kind["failed"])
        print(f"{name:15} {row[0]:6} {row[1]:6} {row[2]:3} {row[3]:3}  {statuses}{empty}")
    stopped = [name for name, status in answers.items() if status in (401, 403, 408, 413, 429)]
    print(f"let in without an attack: {len(answers) - len(stopped)} of {len(answers)}")
    print(f"changed by attacks: {changed}; lines of the log with a key: {secrets}")
    print("\n".join(wrong))
    table = {"routes": sorted(answers), "attacks": found, "changed": changed, "secrets": secrets}
    table["stopped_without_an_attack"] = stopped
    return {"table": table}, not (wrong or changed or secrets or stopped)


def fuzzed(folder: Path, cases: int) -> tuple[dict[str, Any], bool]:
    """So many cases at least, on a server with two tiny models."""
    from attacks.fuzzed import fuzz
    from attacks.world import world_in
    from tiny_llama import write_llama
    from tiny_models import write_model

    write_llama(folder / "tiny")
    write_model(folder / "words")
    models = (f"tiny={folder / 'tiny'}", f"words={folder / 'words'}")
    with world_in(folder / "world", models=models, patience_s=60) as world:
        per_route = math.ceil(cases / len(world.targets))
        phases = ("coverage", "fuzzing", "stateful")
        found = fuzz(world, folder, per_route=per_route, phases=phases)
    print(found.pop("text"))
    kept = ("schemathesis_version", "seed", "operations", "phases", "test_cases", "failures")
    is_good = not found["failures"] and not found["errors"]
    return {"schemathesis": {key: found[key] for key in (*kept, "errors", "warnings")}}, is_good


if __name__ == "__main__":
    main()
