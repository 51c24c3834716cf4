"""Charts hold their data, and survive data that is hardly there."""

from __future__ import annotations

import doctest
import itertools
import math

import numpy as np
import pytest

from tunewright.evaluation import charts, heatmap, shown, svg
from tunewright.evaluation.mistakes import mistakes


@pytest.mark.parametrize("module", [charts, shown, svg])
def test_the_examples_in_the_docs_hold(module: object) -> None:
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 5), (0, 1e-6), (-3.7, 812), (0.899, 0.9)])
def test_ticks_cover_what_they_measure(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 8
    assert len({round(b - a, 12) for a, b in itertools.pairwise(found)}) == 1


def test_a_long_line_is_averaged_and_keeps_its_mean() -> None:
    line = [(float(step), float(step % 7)) for step in range(1500)]
    short = charts.averaged(line)
    assert len(short) <= charts.MOST_POINTS
    assert np.mean([y for _, y in short]) == pytest.approx(np.mean([y for _, y in line]))
    assert charts.averaged(short) == short


def test_losses_that_are_not_finite_are_left_out() -> None:
    entries = [{"step": 1, "loss": math.nan}, {"step": 2}, {"step": 3, "loss": 0.5}]
    assert charts.points(entries, "loss") == [(3.0, 0.5)]


def test_one_point_is_enough_for_a_curve_and_none_draws_nothing() -> None:
    one = charts.Series("loss", [(1.0, 0.3)], "first")
    assert charts.learning_curve([one], title="Loss").startswith("<svg")
    assert charts.learning_curve([], title="Loss") == ""
    assert charts.reliability([]) == charts.forest("mcc", []) == ""


def test_a_phase_too_short_for_its_name_shows_its_number() -> None:
    line = charts.Series("loss", [(1.0, 1.0), (100.0, 0.1)], "first")
    phases = [
        {"name": "head", "first_step": 1, "last_step": 4},
        {"name": "everything", "first_step": 5, "last_step": 100},
    ]
    drawn = charts.learning_curve([line], title="Loss", phases=phases)
    assert ">1</text>" in drawn
    assert ">2 everything</text>" in drawn


def test_a_heat_map_has_a_cell_for_every_pair_of_classes() -> None:
    drawn = heatmap.confusion_map([[3, 1], [0, 2]], ["yes", "no"])
    assert drawn.count("cell empty") == 4
    assert drawn.count("cell right") == 2
    assert drawn.count("cell wrong") == 1
    assert "yes taken for no: 1 of 4" in drawn


def test_the_most_confused_pairs_come_first() -> None:
    pairs = heatmap.confused_pairs([[5, 1, 0], [3, 5, 2], [0, 0, 5]], ["a", "b", "c"], limit=2)
    assert pairs == [
        {"label": "b", "predicted": "a", "count": 3, "share": 0.3},
        {"label": "b", "predicted": "c", "count": 2, "share": 0.2},
    ]


def test_the_most_confident_mistakes_come_first() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    found = mistakes(
        probabilities, np.array([1, 1, 1]), ["x", "y", "z"], ["no", "yes"], ["1", "2", "3"]
    )
    assert [entry["text"] for entry in found] == ["y", "x"]
    assert found[0] == {
        "text": "y",
        "label": "yes",
        "predicted": "no",
        "confidence": pytest.approx(0.9),
        "place": "2",
    }
