"""What `plan` foretells beside what the run takes: peak memory and seconds, on six recipes.

Needs the data sets in ../shared/data; says so and stops when they are not there. Each recipe is
planned and then run, on one thread, one after the other. Seconds are those of the processor, in the
plan as in the run: what else the machine does would show in the clock's. The results are kept in
results/plan.json as they come; words restrict it to the recipes that they name.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, json_of, machine, run_tunewright, write_parts
from bench.quality import DATA, cut

KEPT = RESULTS / "plan.json"
MINILM = ("model=minilm",)
RECIPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "sms_spam, staged": ("sms_spam", (*MINILM, "train.epochs=2")),
    "emotion, all layers": (
        "tweeteval_emotion",
        (*MINILM, "train.strategy=full", "train.epochs=2"),
    ),
    "banking77, head": ("banking77", (*MINILM, "train.strategy=head")),
    "sst5, LoRA": ("sst5", (*MINILM, "adapt.method=lora", "train.epochs=2")),
    "flowers5, ViT": ("flowers5", ("train.epochs=1", "train.strategy=staged")),
    "gsm8k, SmolLM2": (
        "gsm8k_instruct",
        (
            "model=smollm2",
            "adapt.method=lora",
            "adapt.layers=top-8",
            "train.epochs=1",
            "evaluate.answers=0",
        ),
    ),
}
ROWS = {"train": 400, "validation": 100, "test": 100}  # of texts
CHATS = {"train": 40, "validation": 8, "test": 8}
PROCESSOR_CLOCK = """\
import time

_began = time.time()
time.monotonic = time.perf_counter = time.process_time
time.time = lambda: _began + time.process_time()
"""
BOUNDS = {"memory": (-0.03, 0.10), "seconds": (-0.25, 0.25)}


def main() -> None:
    """Measure what is asked for, then print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.name}")
        return
    asked = [name for name in RECIPES if any(word in name for word in sys.argv[1:])]
    kept: dict[str, Any] = json.loads(KEPT.read_text())["recipes"] if KEPT.exists() else {}
    for name in asked or RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            kept[name] = measure(*RECIPES[name], Path(folder))
        print(name, json.dumps(kept[name]), flush=True)
        facts = {"machine": machine(), "recipes": kept}
        KEPT.write_text(json.dumps(facts, indent=1) + "\n")
    show(kept)


def measure(data: str, settings: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """A plan, then the run."""
    (folder / "clock").mkdir()
    (folder / "clock" / "sitecustomize.py").write_text(PROCESSOR_CLOCK)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder / "clock"), *sys.path[1:]])
    write(data, folder / "data")
    if data == "flowers5":
        settings = (*settings, f"model={write_vit(folder / 'vit')}")
    settings = (*settings, "data.allow=[leak, near-leak, contradictory-label]")
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "tunewright.cli.main", "plan", str(folder / "data"), "--json"]
    load = os.getloadavg()[0]
    plan = json_of([*command, "--seed", "0", *sets])
    result = run_tunewright(folder / "data", folder / "runs", 0, *settings)
    beside = result["plan"]
    return {
        "planned_mib": beside["peak_memory_mib"]["planned"],
        "mib": beside["peak_memory_mib"]["happened"],
        "planned_s": beside["seconds"]["planned"],
        "range_s": [beside["seconds"]["least"], beside["seconds"]["most"]],
        "seconds": beside["seconds"]["happened"],
        "planned_disk_mib": beside["disk_mib"]["planned"],
        "disk_mib": beside["disk_mib"]["happened"],
        "took_s": plan["took_s"],
        "largest_batch": plan["largest_batch"],
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "at": int(time.time()),
    }


def write(data: str, folder: Path) -> None:
    """The rows of a recipe as train, validation and test files."""
    writers: dict[str, Callable[[Path], object]] = {
        "flowers5": lambda folder: folder.symlink_to(DATA / "flowers5"),
        "gsm8k_instruct": write_chats,
    }
    writers.get(data, lambda folder: write_texts(data, folder))(folder)


def write_texts(data: str, folder: Path) -> None:
    """Rows of the test scores' own cut."""
    parts = cut(data, 0)
    write_parts(folder, {part: rows[: ROWS[part]] for part, rows in parts.items()})


def write_chats(folder: Path) -> None:
    """The first questions and answers."""
    folder.mkdir()
    with (DATA / "gsm8k_instruct" / "train.jsonl").open(encoding="utf-8") as lines:
        for part, count in CHATS.items():
            (folder / f"{part}.jsonl").write_text("".join(itertools.islice(lines, count)))


def write_vit(folder: Path) -> Path:
    """A ViT of 12 random blocks, 192 wide: what it costs is that of a trained one."""
    import torch
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(hidden_size=192, intermediate_size=768, num_attention_heads=3)
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessorPil().save_pretrained(folder)
    return folder


def show(kept: dict[str, Any]) -> None:
    """The table of the benchmark page."""
    print("| recipe | MiB planned | happened | | s planned | happened | | the plan took |")
    print("|---|---|---|---|---|---|---|---|")
    for name, found in kept.items():
        memory = found["planned_mib"] / found["mib"] - 1
        seconds = found["planned_s"] / found["seconds"] - 1
        least, most = found["range_s"]
        print(
            f"| {name} | {found['planned_mib']:,.0f} | {found['mib']:,.0f} | {memory:+.1%} "
            f"| {found['planned_s']:.0f} ({least:.0f} to {most:.0f}) | {found['seconds']:.0f} "
            f"| {seconds:+.1%} | {found['took_s']:.0f} s |"
        )
    for key, (low, high) in BOUNDS.items():
        planned, happened = ("planned_mib", "mib") if key == "memory" else ("planned_s", "seconds")
        off = [each[planned] / each[happened] - 1 for each in kept.values()]
        print(f"{key}: {sum(low <= one <= high for one in off)} of {len(off)} within the bounds")


if __name__ == "__main__":
    main()
