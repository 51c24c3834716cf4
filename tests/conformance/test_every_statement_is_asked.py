"""No statement of the API is forgotten, and no test asks nothing."""

from __future__ import annotations

from statements import LEFT_OUT, LEFT_OUT_PARTS, STATEMENTS, asked_statements


def test_every_statement_has_a_test_or_a_reason() -> None:
    asked = set(asked_statements())
    assert asked | set(LEFT_OUT) == set(STATEMENTS)
    assert asked & set(LEFT_OUT) == set()
    assert set(LEFT_OUT_PARTS) <= asked
    assert all({**LEFT_OUT, **LEFT_OUT_PARTS}.values())
