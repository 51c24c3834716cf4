"""The learning-rate finder: capped, verified by short runs, and nothing of it stays in the weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tunewright.durable import read_lines
from tunewright.tuning.finder import BAND, descend, steepest
from tunewright.tuning.search import tune

PLAIN = ["train.threads=1", "train.precision=fp32", "evaluate.resamples=100", "tune.seeds=1"]
QUICK = [*PLAIN, "train.strategy=full", "train.epochs=1", 'tune.space={"train.batch_size": [16]}']


def bowl(best: float) -> Any:
    return lambda rate: math.log(rate / best) ** 2


@pytest.mark.parametrize("best", [3e-5, 1e-4, 2.5e-4])
def test_short_runs_end_within_a_factor_of_two_of_the_best_rate(best: float) -> None:
    rate, tried = descend(bowl(best), 1e-4, low=2e-5, high=4e-4)
    assert best / 2 <= rate <= best * 2
    assert [each for each, _ in tried] == sorted(each for each, _ in tried)


def test_a_rate_never_leaves_the_band() -> None:
    rate, tried = descend(bowl(1.0), 4e-4, low=2e-5, high=4e-4)
    assert rate == 4e-4
    assert max(each for each, _ in tried) == 4e-4


def test_a_rate_that_diverges_is_not_taken() -> None:
    rate, _ = descend(lambda rate: math.inf if rate > 1e-4 else 1.0, 1e-4, low=1e-5, high=1e-3)
    assert rate <= 1e-4


def test_the_steepest_fall_is_before_the_lowest_point() -> None:
    assert steepest([(1e-5, 1.0), (1e-4, 0.2), (1e-3, 0.19), (1e-2, 9.0)]) == 1e-4
    assert steepest([(1e-5, 1.0), (1e-4, 2.0)]) == 1e-5


@pytest.mark.usefixtures("one_thread")
def test_the_finder_leaves_the_weights_as_they_were_and_its_rates_are_the_first_guess(
    tickets: Path, tiny_bert: Path
) -> None:
    from tunewright.history.folder import runs_folder

    def search(*more: str) -> tuple[dict[str, Any], list[Any]]:
        found = tune(tickets, model=str(tiny_bert), trials=2, settings=[*QUICK, *more])
        study = max(runs_folder().glob("*-tune-*"), key=lambda each: each.stat().st_mtime_ns)
        events = read_lines(study / "trials" / "trial-0000" / "events.jsonl")
        return found, [e["scores"] for e in events if e["event"] == "evaluated"]

    plain, scores = search()
    found, after = search("tune.find_rate=true")
    assert after == scores  # to the last digit
    assert plain["rates"] == []
    rates = {each["group"]: each for each in found["rates"]}
    guess = found["table"][1]
    assert guess["kind"] == "guess"
    assert guess["settings"] == {
        "train.learning_rate": rates["blocks"]["rate"],
        "train.head_learning_rate": rates["head"]["rate"],
    }
    for each in rates.values():
        losses = dict(each["tried"])
        assert len(losses) >= 2
        best = min(losses, key=lambda rate: losses[rate])
        assert each["rate"] == pytest.approx(best, rel=0.05)
        assert max(losses) / min(losses) <= BAND**2 * 1.001
    assert json.dumps(found["rates"])
