"""Language models beside TRL with PEFT: SmolLM2-135M, LoRA of rank 16 on all linear layers.

Needs the data sets in ../shared/data and the package trl. The same rows, one epoch, batches of
eight, in the precision that is faster here (fp32 for both where bf16 is slower). TRL runs with its
defaults, and with what makes it fastest on a processor: no gradient checkpointing, and conversations
grouped by length. Rows per second are those of the steps alone. `sft`, `top` or `dpo` restrict it;
BENCH_THREADS sets the threads of both.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import RESULTS, json_of, machine, run_tunewright
from bench.quality import DATA, ROOT

ROWS = 32
PAIRS = 16  # rows of two answers, each read by the model and by its reference
MOST_CHARACTERS = 800  # of a pair's texts, so that a run of the peer ends within minutes
OTHERS = 4  # to validate and to test, each
THREADS = int(os.environ.get("BENCH_THREADS", "2"))
BEST: dict[str, Any] = {"gradient_checkpointing": False}
GROUPED = {**BEST, "train_sampling_strategy": "group_by_length"}  # DPOTrainer refuses it
OURS = ("train.epochs=1", "train.batch_size=8", f"train.threads={THREADS}", "evaluate.answers=0")
ALL_BLOCKS = (*OURS, "adapt.method=lora", "train.strategy=full")


def main() -> None:
    """Measure what was asked for, keep it in results/language.json, print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    path = RESULTS / "language.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, measure in (("sft", sft), ("top", top), ("dpo", dpo)):
        if name in sys.argv[1:] or not sys.argv[1:]:
            known[name] = measure()
            known["machine"] = machine()
            path.write_text(json.dumps(known, indent=1) + "\n")
            show(name, known[name])


def sft() -> dict[str, Any]:
    """Supervised, adapters in all blocks."""
    return beside(conversations(), ALL_BLOCKS, GROUPED)


def top() -> dict[str, Any]:
    """Adapters in the top 8 of 30 blocks, from the second epoch on: what is kept is kept."""
    return beside(conversations(), (*ALL_BLOCKS, "adapt.layers=top-8"), GROUPED)


def dpo() -> dict[str, Any]:
    """Pairs of answers."""
    return beside(pairs(), ALL_BLOCKS, BEST)


def beside(
    rows: list[dict[str, Any]], settings: tuple[str, ...], best: dict[str, Any]
) -> dict[str, Any]:
    """Rows per second and peak memory of TRL with its defaults, at its best, and of ours."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        count = PAIRS if "chosen" in rows[0] else ROWS
        parts = {"train": rows[:count], "validation": rows[count : count + OTHERS]}
        parts["test"] = rows[count + OTHERS : count + 2 * OTHERS]
        for part, some in parts.items():
            text = "".join(json.dumps(row) + "\n" for row in some)
            (folder / f"{part}.jsonl").write_text(text, "utf-8")
        (Path(scratch) / "peer.jsonl").write_text(
            "".join(json.dumps(as_trl(row)) + "\n" for row in parts["train"]), "utf-8"
        )
        ours = run_tunewright(folder, Path(scratch) / "runs", 0, *settings, model="smollm2")
        phase = ours["train"]["phases"][-1]
        found = {
            "tunewright": {
                "rows_per_s": phase["rows_per_s"],
                "peak_mib": ours["train"]["peak_memory_mib"],
                "cache_build_s": phase["cache_build_s"],
            }
        }
        print("tunewright", found["tunewright"], flush=True)
        for name, more in (("defaults", {}), ("best", best)):
            found[name] = peer(Path(scratch) / "peer.jsonl", more)
            print(name, found[name], flush=True)
    return found


def peer(rows: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What TRL says, or why there is nothing: at its best it may take more memory than there is."""
    from tunewright.pretrained.catalog import resolve_model

    given = {"per_device_train_batch_size": 8, "threads": THREADS, **settings}
    folder = str(resolve_model("smollm2").path)
    command = [sys.executable, "-m", "bench.language_peer", str(rows), folder, json.dumps(given)]
    try:
        return json_of(command)
    except RuntimeError as error:
        return {"left_out": str(error)[-300:]}


def conversations() -> list[dict[str, Any]]:
    """Short instructions in OpenAI's form."""
    lines = (DATA / "alpaca_en_demo" / "train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    drawn = np.random.default_rng(0).permutation(len(rows))
    asked = (rows[at] for at in drawn if len(rows[at]["output"]) < 1200)
    return [
        {
            "messages": [
                {"role": "user", "content": f"{row['instruction']}\n\n{row['input']}".strip()},
                {"role": "assistant", "content": row["output"]},
            ]
        }
        for row in asked
    ]


def pairs() -> list[dict[str, Any]]:
    """Prompts with two answers each, in TRL's form."""
    lines = (DATA / "dpo_en_demo_preference" / "train.jsonl").read_text("utf-8").splitlines()
    found = []
    for row in map(json.loads, lines):
        sides = {side: row[side]["value"] for side in ("chosen", "rejected")}
        if len(row["conversations"]) == 1:
            found.append({"prompt": row["conversations"][0]["value"], **sides})
    return [row for row in found if max(map(len, row.values())) < MOST_CHARACTERS]


def as_trl(row: dict[str, Any]) -> dict[str, Any]:
    """The row as TRL wants it for a loss on the answer alone."""
    if "messages" in row:
        return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return {name: [{"role": role, "content": row[name]}] for name, role in roles.items()}


def show(name: str, found: dict[str, Any]) -> None:
    """Print a Markdown table."""
    ours = found["tunewright"]
    print(f"\n| {name} | rows/s | ours is so many times as fast | peak MiB | ours takes |")
    print("|---|---|---|---|---|")
    for side, each in found.items():
        if "left_out" in each:
            print(f"| {side} | did not end | | | |")
            continue
        print(
            f"| {side} | {each['rows_per_s']:.3f} | {ours['rows_per_s'] / each['rows_per_s']:.2f} "
            f"| {each['peak_mib']:.0f} | {ours['peak_mib'] / each['peak_mib']:.2f} |"
        )


if __name__ == "__main__":
    main()
