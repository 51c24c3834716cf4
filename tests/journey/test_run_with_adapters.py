"""A run with adapters, as a user does it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import only_run, run_words, weights_hash

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


def test_from_a_file_to_a_tested_model_with_adapters(
    tickets: Path, tiny_bert: Path, cli: Cli, tmp_path: Path
) -> None:
    said = cli(*run_words(tickets, tiny_bert, "adapt.method=lora", "adapt.layers=top-1"))
    assert said.code == 0, said.err
    assert "LoRA adapters of rank 16 in 1 of 2 blocks" in said.err + said.out
    run = only_run()
    result = json.loads((run / "result.json").read_text())
    assert [p["trainable_blocks"] for p in result["train"]["phases"]] == [0, 1]
    assert [p["cached"] for p in result["train"]["phases"]] == [True, True]
    assert result["model"]["trainable_parameters"] < result["model"]["parameters"] / 2
    recipe = (run / "recipe.yaml").read_text()
    assert "  rank: 16  # " in recipe
    assert "  alpha: 32  # 2 times the rank" in recipe
    assert "auto" not in recipe
    assert "adapter/" in (run / "model" / "README.md").read_text()

    alone = Path(shutil.copytree(run / "model", tmp_path / "elsewhere"))
    first, second = (
        cli("predict", place, "--text", "an invoice with a wrong tax")
        for place in (run.name, alone)
    )
    assert first.code == second.code == 0
    assert first.out == second.out
    assert cli("test", run.name).code == 0

    said = cli("run", run / "recipe.yaml", "--name", "again")
    assert said.code == 0, said.err
    again = next(p for p in run.parent.iterdir() if "-again-" in p.name)
    assert weights_hash(again) == weights_hash(run)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["adapt.method=full", "adapt.rank=8"], "rank is 8, but method full has no adapters"),
        (["adapt.method=lora", "adapt.layers=top-40"], "adapt.layers is top-40"),
        (["adapt.method=lora", "adapt.rank=999"], "adapt.rank is 999"),
        (
            ["adapt.method=lora", "adapt.layers=top-1", "train.phases=[{blocks: 2}]"],
            "train.phases.0 asks for 2 blocks, adapt.layers is top-1",
        ),
        (
            ["adapt.method=dora", "adapt.layers=all", "train.phases=[{blocks: 1}]"],
            "the top 2 blocks get adapters",
        ),
    ],
)
def test_what_cannot_be_granted_is_refused(
    settings: list[str], told: str, tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(*run_words(tickets, tiny_bert, *settings))
    assert said.code == 2
    assert told in said.error()
