"""One recipe, trained here and by our own server: the same rows and seed have the same scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tunewright.serve.jobs.worker")
pytest.importorskip("tunewright.serve.routes.chat")

import tunewright
from served import settings_in
from tiny_chats import chats, write_chat_model, write_lines
from tunewright.durable import read_lines
from worked import trained

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
SCORES = ("rougeL", "rouge1", "bleu", "exact_match", "ends")


def test_here_and_at_our_own_server_come_to_the_same(tmp_path: Path) -> None:
    model = write_chat_model(tmp_path / "tiny")
    data = write_lines(tmp_path / "chats.jsonl", chats(60))
    recipe: dict[str, Any] = {
        "data": {"train": str(data)},
        "seed": 3,
        "adapt": {"method": "full"},
        "train": {
            "epochs": 3,
            "batch_size": 8,
            "threads": 1,
            "precision": "fp32",
            "max_length": 128,
        },
        "evaluate": {"answers": 9, "most_tokens": 12, "resamples": 100, "forgetting": "off"},
    }
    here = tunewright.run(**recipe, model=str(model))
    with trained(settings_in(tmp_path, models=(f"tiny={model}",))) as client:
        service = {"preset": "tunewright", "base_url": str(client.base_url), "poll_s": 0.2}
        there = tunewright.run(**recipe, model="tiny", backend="openai", service=service)
    ours, theirs = (done.result["answers"]["metrics"] for done in (here, there))
    for name in SCORES:
        for which in ("base", "tuned"):
            assert theirs[name][which]["value"] == pytest.approx(ours[name][which]["value"]), name
    looks = [e for e in read_lines(here.folder / "events.jsonl") if e["event"] == "evaluated"]
    told = [e for e in read_lines(there.folder / "events.jsonl") if e["event"] == "evaluated"]
    losses = {look["step"]: look["scores"]["loss"] for look in looks if look["step"]}
    assert {look["step"]: look["scores"]["loss"] for look in told} == pytest.approx(
        losses, abs=2e-4
    )
