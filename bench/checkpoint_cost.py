"""What checkpoints cost: their share of the wall time of the demo, at the default cadence.

The run of `make demo`: the default recipe on the example reviews, with the final test. Counted is
every second within a save, the sync of the events before it, and the deletion at the end.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, machine

ROUNDS = 2


def main() -> None:
    """Measure, print the table, keep it in results/checkpoint_cost.json."""
    rounds = [measure() for _ in range(ROUNDS)]
    facts = {"machine": machine(), "rounds": rounds}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "checkpoint_cost.json").write_text(json.dumps(facts, indent=1) + "\n")
    print("| wall s | checkpoints | MiB each | s in checkpoints | share |")
    print("|---|---|---|---|---|")
    for one in rounds:
        print(
            f"| {one['wall_s']:.1f} | {one['saves']} | {one['mib']:.0f} | {one['spent_s']:.2f} "
            f"| {one['share']:.2%} |"
        )


def measure() -> dict[str, Any]:
    """One run of the demo."""
    import tunewright
    from tunewright import life
    from tunewright.pretrained.example_data import fetch_example
    from tunewright.train.checkpoint import Checkpoints
    from tunewright.train.events import Events

    spent: list[float] = []
    sizes: list[float] = []

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*args: Any) -> Any:
            started = time.perf_counter()
            answer = call(*args)
            spent.append(time.perf_counter() - started)
            return answer

        return within

    def sized(self: Checkpoints, *args: Any) -> None:
        save(self, *args)
        files = max(self.folder.glob("step-*")).iterdir()
        sizes.append(sum(file.stat().st_size for file in files) / 2**20)

    kept = save, sync, remove = Checkpoints.save, Events.sync, life.remove_checkpoints
    save = timed(save)
    Checkpoints.save, Events.sync = sized, timed(sync)  # type: ignore[method-assign]
    life.remove_checkpoints = timed(remove)
    data = fetch_example("reviews")
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TUNEWRIGHT_RUNS"] = str(Path(folder))
            started = time.perf_counter()
            tunewright.run(data, test=True, settings=["data.group=review", "name=reviews"])
            wall_s = time.perf_counter() - started
    finally:
        Checkpoints.save, Events.sync, life.remove_checkpoints = kept  # type: ignore[method-assign]
    return {
        "wall_s": round(wall_s, 2),
        "saves": len(sizes),
        "mib": round(max(sizes), 1),
        "spent_s": round(sum(spent), 3),
        "share": round(sum(spent) / wall_s, 5),
    }


if __name__ == "__main__":
    main()
