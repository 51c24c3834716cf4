"""Short passes: what is left out is counted, and filled from rows alike."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tunewright.backends.inputs import sorted_batches
from tunewright.train import passes
from tunewright.train.passes import (
    BATCHES,
    ShortPasses,
    filled,
    in_rehearsal,
    rehearsed,
    seconds_of_all,
    settle,
    spread,
    whole_clock,
)

LENGTHS = np.arange(1, 401)


def test_a_pass_of_a_run_is_whole() -> None:
    rows = np.concatenate(list(sorted_batches(LENGTHS, 1000)))
    assert sorted(rows) == list(range(400))
    assert not in_rehearsal()


def test_a_rehearsed_pass_is_short_and_has_the_longest_and_the_shortest_rows() -> None:
    with rehearsed(ShortPasses()):
        batches = list(sorted_batches(LENGTHS, 1000))
        assert in_rehearsal()
    assert len(batches) == BATCHES
    assert 399 in batches[0]
    assert 0 in batches[-1]


def test_the_clock_goes_on_by_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], monotonic=lambda: now[0])
    monkeypatch.setattr(passes, "time", clock)

    def tokens(rows: np.ndarray) -> int:
        return len(rows) * int(LENGTHS[rows].max())

    whole = sum(tokens(rows) for rows in sorted_batches(LENGTHS, 1000))
    with rehearsed(ShortPasses()):
        for rows in sorted_batches(LENGTHS, 1000):
            now[0] += tokens(rows) / 1000
        took = whole_clock()
    assert now[0] < took / 2
    assert took == pytest.approx(whole / 1000)


def test_no_rows_and_few_rows_leave_nothing_out() -> None:
    short = ShortPasses()
    with rehearsed(short):
        assert list(sorted_batches(np.zeros(0, np.int64), 1000)) == []
        assert len(list(sorted_batches(np.full(3, 900), 1000))) == 3
    assert short.left_out_s == pytest.approx(0.0, abs=1e-9)


def test_rows_left_out_get_the_numbers_of_rows_with_the_same_label() -> None:
    labels = np.arange(400) % 2
    found = np.zeros((400, 1))
    with rehearsed(ShortPasses()):
        for rows in sorted_batches(LENGTHS, 1000):
            found[rows, 0] = 1 + labels[rows]
        filled(found, labels)
    assert (found[:, 0] == 1 + labels).mean() > 0.95


def test_room_is_in_memory_at_once_in_a_rehearsal_alone() -> None:
    flat, vectors = np.zeros((5, 2)), np.array([[1.0, 2.0], [3.0, 4.0]])
    settle(flat, vectors)
    assert not flat.any()
    with rehearsed(ShortPasses()):
        settle(flat, vectors)
        settle(np.zeros((0, 2)), vectors)
    assert flat.tolist() == [[1, 2], [3, 4], [1, 2], [3, 4], [1, 2]]


def test_seconds_lie_between_those_that_were_measured() -> None:
    tokens = np.array([5, 10, 20, 30, 60])
    seconds = seconds_of_all(tokens, [1, 3, 1], [1.0, 3.0, 1.0])
    assert seconds.tolist() == [0.5, 1.0, 2.0, 3.0, 6.0]


@pytest.mark.parametrize(("count", "most"), [(1, 6), (6, 6), (100, 6)])
def test_places_are_spread_from_first_to_last(count: int, most: int) -> None:
    places = spread(count, most)
    assert places[0] == 0
    assert places[-1] == count - 1
    assert len(places) == min(count, most)
