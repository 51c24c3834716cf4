"""Every route of the server × nine kinds of attack: nothing is let in, nothing breaks, nothing leaks."""

from __future__ import annotations

from pathlib import Path

from attacks.kinds import KINDS, SECRET_WORD
from attacks.table import fill, let_in, logged, summary
from attacks.targets import routes_of
from attacks.world import world_in


def test_no_attack_on_any_route_is_let_in_or_breaks_it(tmp_path: Path) -> None:
    with logged() as log, world_in(tmp_path) as world:
        assert {each.name for each in world.targets} == routes_of(world.app)
        before = world.state()
        cells = fill(world)
        assert world.state() == before
        found = summary(cells)
        answers = let_in(world)
    assert [each for kind in found.values() for each in kind["wrong"]] == []
    assert len(cells) == len(KINDS) * len(world.targets)
    assert all(kind["accepted"] == kind["failed"] == 0 for kind in found.values())
    refused = {name: status for name, status in answers.items() if status in (401, 408, 413)}
    assert refused == {}
    assert [name for name, status in answers.items() if status >= 500] == []
    told = "\n".join(log)
    for secret in (world.key, world.revoked, "api_key", "hello", SECRET_WORD):
        assert secret not in told
