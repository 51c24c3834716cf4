"""Whatever the server's own document allows or forbids is answered as the document says."""

from __future__ import annotations

from pathlib import Path

from attacks.fuzzed import fuzz
from attacks.world import world_in


def test_answers_are_as_the_document_of_the_server_says(tmp_path: Path) -> None:
    with world_in(tmp_path / "world", patience_s=60) as world:
        found = fuzz(world, tmp_path, per_route=2)
    assert found.get("failures") == [], found["text"]
    assert found["errors"] == [], found["text"]
    assert found["operations"]["tested"] == len(world.targets), found["text"]
    assert found["test_cases"]["generated"] >= 2 * len(world.targets)
