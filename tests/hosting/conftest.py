"""A stand-in service, and what a run at it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openai_service import StandIn, serving
from openai_service.server import KEY
from tiny_chats import chats, write_lines

MODEL = "tiny-model-1"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A service that has a key; nothing waits for long."""
    monkeypatch.setenv("STAND_IN_KEY", KEY)
    monkeypatch.setattr("tunewright.backends.openai.patience.FIRST_S", 0.01)
    monkeypatch.setattr("tunewright.backends.openai.job.LAG_S", 0.05)
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
def conversations(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "chats.jsonl", chats(60))


@pytest.fixture
def at(service: StandIn) -> Callable[..., dict[str, Any]]:
    """Recipe keys of a run at the stand-in."""

    def keys(**more: Any) -> dict[str, Any]:
        asked = {
            "preset": "generic",
            "base_url": service.url,
            "key": "STAND_IN_KEY",
            "poll_s": 0.01,
        }
        return {
            "backend": "openai",
            "model": MODEL,
            "evaluate": {"resamples": 200, "answers": 8, **more.pop("evaluate", {})},
            "service": asked | more.pop("service", {}),
            **more,
        }

    return keys
