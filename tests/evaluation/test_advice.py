"""What to try next is said only where something measured says so, with a command that exists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunewright.cli.main import COMMANDS
from tunewright.evaluation.advice import Evidence, advise

NOTHING = Evidence(
    metric="accuracy",
    recipe="runs/r/recipe.yaml",
    data="tickets.csv",
    model="minilm",
    strategy="staged",
    num_blocks=6,
    epochs=2,
    best_step=20,
    rows=1000,
    doubted=3,
    doubling={"value": 0.01, "low": -0.01, "high": 0.03},
    history=[{"step": step, "log_loss": loss} for step, loss in ((10, 0.5), (20, 0.4), (30, 0.41))],
    phases=[
        {"name": "head", "epochs": 0, "trainable_blocks": 0, "best_step": 0, "first_step": 0},
        {"name": "all", "epochs": 2, "trainable_blocks": 6, "best_step": 20, "first_step": 0},
    ],
    differences={"probe": {"value": 0.05, "low": 0.02, "high": 0.08}},
)


def test_without_evidence_nothing_is_advised() -> None:
    assert advise(NOTHING) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"doubling": {"value": 0.02, "low": 0.01, "high": 0.03}}, "more rows"),
        ({"doubted": 40}, "40 of 1,000 rows"),
        ({"best_step": 30, "history": [{"step": 20, "loss": 2.0}, {"step": 30, "loss": 1.5}]}, "longer"),
        ({"history": [{"step": s, "log_loss": loss} for s, loss in ((1, 0.5), (2, 0.3), (3, 0.6))]}, "by heart"),
        ({"phases": [*NOTHING.phases, {"name": "top 2", "epochs": 1, "trainable_blocks": 2, "best_step": 25, "first_step": 20}]}, "more layers"),
        ({"differences": {"probe": {"value": 0.01, "low": -0.01, "high": 0.03}}}, "frozen"),
    ],
    ids=["rows", "labels", "longer", "less", "deeper", "head"],
)  # fmt: skip
def test_each_evidence_has_its_advice(changes: dict[str, Any], said: str) -> None:
    (found,) = advise(replace(NOTHING, **changes))
    assert said in f"{found['what']}: {found['evidence']}"
    assert found["command"].split()[1] in COMMANDS
