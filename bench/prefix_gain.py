"""How much the frozen prefix saves, by frozen share, length and number of rows: docs/prefix-gain.svg.

MiniLM, a phase of ten epochs, batches of 32, the time to keep the activations included. Every
point is the time without the prefix by the time with it, both measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import RESULTS, ROOT, machine, minilm
from tunewright.backends.torch.session import TorchSession
from tunewright.data.rows import Rows
from tunewright.evaluation.svg import Scale, drawing, element, text
from tunewright.recipe.schema import Recipe
from tunewright.train.batches import epoch_batches
from tunewright.train.phases import PhasePlan

BLOCKS, EPOCHS = 6, 10
ROWS, LENGTH = 512, 32
LENGTHS, SHARES, COUNTS = (16, 32, 64), (2, 3, 4, 5, 6), (64, 128, 256, 512, 1024)
COLOURS = ("#9ecae1", "#4292c6", "#08519c")
Point = tuple[float, float]


def main() -> None:
    """Measure, keep results/prefix_gain.json, draw."""
    by_share = {
        f"{length} tokens": [(float(frozen), gain(ROWS, length, frozen)) for frozen in SHARES]
        for length in LENGTHS
    }
    by_rows = {
        f"{frozen} frozen": [(float(rows), gain(rows, LENGTH, frozen)) for rows in COUNTS]
        for frozen in (4, 5, 6)
    }
    facts = {"machine": machine(), "by_share": by_share, "by_rows": by_rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "prefix_gain.json").write_text(json.dumps(facts, indent=1) + "\n")
    (ROOT / "docs" / "prefix-gain.svg").write_text(picture(by_share, by_rows) + "\n")
    print(json.dumps({"by_share": by_share, "by_rows": by_rows}))


def gain(rows: int, length: int, frozen: int) -> float:
    """Seconds of the phase without the prefix by seconds with it."""
    found = phase_s(rows, length, frozen, cache="off") / phase_s(rows, length, frozen, cache=32.0)
    print(f"{rows} rows of {length} tokens, {frozen} of {BLOCKS} frozen: {found:.1f}", flush=True)
    return round(found, 2)


def phase_s(count: int, length: int, frozen: int, cache: Any) -> float:
    """Seconds of one phase, from its start to its last step."""
    words = " ".join(["good"] * (length - 2))
    rows = Rows(
        [words] * count, None, ["a", "b"] * (count // 2), [""] * count, "", np.arange(count)
    )
    numbers = np.arange(count) % 2
    train: dict[str, Any] = {
        **{"max_length": 128, "batch_size": 32, "epochs": EPOCHS, "early_stopping": 0},
        **{"learning_rate": 1e-4, "head_learning_rate": 1e-4, "layer_decay": 0.9},
        **{"evaluations_per_epoch": 1, "precision": "fp32", "threads": machine()["cores"]},
    }
    recipe = Recipe.model_validate(
        {
            "task": "text-classification",
            "train": {**train, "cache": cache},
            "adapt": {"dropout": "hidden", "layers": "all"},
        }
    )
    few = rows.take(np.arange(8))
    parts = {"train": (rows, numbers), "validation": (few, numbers[:8])}
    backend = TorchSession(Path(minilm())).open(recipe, ("a", "b"), parts)
    phase = PhasePlan("phase", BLOCKS - frozen, 1e-4, 1e-4, 0.9, EPOCHS, 0)
    started = time.perf_counter()
    backend.start_phase(phase)
    step = 0
    for epoch in range(EPOCHS):
        for batch in epoch_batches(np.full(count, length), 32, seed=0, epoch=epoch):
            backend.train_step([batch], rate=1.0, draw=step)
            step += 1
    return time.perf_counter() - started


def picture(by_share: dict[str, list[Point]], by_rows: dict[str, list[Point]]) -> str:
    """Two panels side by side; readable on a light and on a dark page."""
    left = panel(by_share, 56, "frozen blocks of 6", f"{ROWS} rows")
    by_power = {
        name: [(float(np.log2(rows)), value) for rows, value in line]
        for name, line in by_rows.items()
    }
    named = f"{LENGTH} tokens"
    right = panel(by_power, 416, "rows", named, label=lambda power: f"{2**power:,.0f}")
    style = element("style", "text{font:12px sans-serif;fill:#777}.title{font-weight:bold}")
    said = "Gain of the frozen prefix by frozen share and length, and by number of rows"
    return drawing([style, *left, *right], 720, 300, said).replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1
    )


def panel(
    lines: dict[str, list[Point]],
    start: float,
    axis: str,
    title: str,
    label: Callable[[float], str] = "{:.0f}".format,
) -> list[str]:
    """Times faster (up, in powers of two) over whatever is across."""
    across = [a for a, _ in next(iter(lines.values()))]
    powers = int(np.ceil(np.log2(max(value for line in lines.values() for _, value in line))))
    x = Scale(min(across), max(across), start, start + 230)
    y = Scale(0, powers, 250, 40)
    parts = [text(f"times faster: {title}", start - 30, 20, class_="title")]
    for power in range(powers + 1):
        up = y(power)
        parts.append(element("line", x1=start, x2=start + 230, y1=up, y2=up, stroke="#ccc"))
        parts.append(text(f"{2**power}", start - 8, up + 4, text_anchor="end"))
    parts += [text(label(a), x(a), 268, text_anchor="middle") for a in across]
    parts.append(text(axis, start + 115, 288, text_anchor="middle"))
    free = 250.0  # the lowest place for a name that no other name covers
    drawn = zip(lines.items(), COLOURS[-len(lines) :], strict=True)
    for (name, line), colour in sorted(drawn, key=lambda entry: entry[0][1][-1][1]):
        placed = [(x(a), y(float(np.log2(max(1.0, b))))) for a, b in line]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
        parts.append(element("polyline", points=path, fill="none", stroke=colour, stroke_width=2))
        free = min(free, placed[-1][1] + 4)
        parts.append(text(name, placed[-1][0] + 6, free))
        free -= 14
    return parts


if __name__ == "__main__":
    main()
