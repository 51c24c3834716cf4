"""A server of each test's own, and an unmodified client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from served import served, settings_in


@pytest.fixture
def client(tmp_path: Path) -> Iterator[OpenAI]:
    with served(settings_in(tmp_path)) as client:
        yield client
