"""The largest batch: found by steps that are known to fit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tunewright.train.largest_batch import largest_batch

Step = Callable[[int], tuple[float, float]]


def machine(per_row: float, tried: list[int], *, seconds: float = 0.001) -> Step:
    def step(rows: int) -> tuple[float, float]:
        tried.append(rows)
        return 100 + per_row * rows, seconds * rows

    return step


def test_where_peaks_grow_the_largest_batch_is_where_memory_ends() -> None:
    tried: list[int] = []
    found = largest_batch(machine(2.0, tried), start=8, rows=10_000, limit_mib=1100)
    assert found.rows == 500
    assert found.limited_by == "memory"
    assert found.per_row_mib == 2.0
    assert found.tried == max(tried) == 256


def test_no_step_is_tried_that_is_foretold_not_to_fit() -> None:
    tried: list[int] = []
    largest_batch(machine(2.0, tried), start=8, rows=10_000, limit_mib=300)
    assert 100 + 2.0 * max(tried) <= 300


def test_where_peaks_do_not_grow_all_rows_fit() -> None:
    tried: list[int] = []
    found = largest_batch(machine(0.0, tried), start=32, rows=200, limit_mib=1000)
    assert (found.rows, found.tried, found.limited_by) == (200, 200, "rows")


def test_a_batch_that_does_not_fit_is_halved_until_one_does() -> None:
    tried: list[int] = []
    found = largest_batch(machine(10.0, tried), start=64, rows=1000, limit_mib=400)
    assert tried == [64, 32, 16]
    assert found.tried == 16
    assert 16 <= found.rows <= 30


def test_where_no_row_fits_the_answer_is_none() -> None:
    found = largest_batch(machine(10.0, []), start=4, rows=1000, limit_mib=50)
    assert found.rows == 0


@pytest.mark.parametrize("seconds", [0.2, 100.0])
def test_a_slow_step_is_not_tried(seconds: float) -> None:
    tried: list[int] = []
    largest_batch(machine(0.0, tried, seconds=seconds), start=8, rows=10_000, limit_mib=1000)
    assert max(tried) == (32 if seconds < 1 else 8)
