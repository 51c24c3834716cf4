"""A run is held to what is required of it: exit code 0 where it is better, 1 where not, 2 where unfit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import QUICK
from tiny_models import text_rows, write_csv
from tunewright import features
from tunewright.backends import probe
from tunewright.data.seal import looks
from tunewright.durable import file_sha256

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def run_of_tickets(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tunewright

    folder = tmp_path_factory.mktemp("required")
    data = write_csv(folder / "tickets.csv", text_rows(320))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(folder / "runs"))
        return tunewright.run(data, model=str(tiny_bert), settings=[*QUICK, "name=tickets"]).folder


def test_probe_and_neighbours_are_among_the_baselines(run_of_tickets: Path) -> None:
    result = json.loads((run_of_tickets / "result.json").read_text())
    assert list(result["baselines"]) == ["majority", "tfidf", "knn", "probe"]
    assert set(result["verdict"]["differences"]) == set(result["baselines"])
    assert result["verdict"]["baseline"] in result["baselines"]


def test_the_test_part_is_answered_from_features_computed_anew(
    run_of_tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.baselining import base_folder
    from tunewright.judging import done_run, prepared_as_then

    folder, recipe = done_run(run_of_tickets)
    prepared = prepared_as_then(folder, recipe)
    known = features.kept(folder)
    assert known is not None
    again = features.compute(
        recipe,
        base_folder(recipe),
        prepared.labels,
        prepared.validation,
        prepared.targets_of("validation"),
    )
    assert abs(again.astype(float) - known.validation.astype(float)).max() < 2e-3
    assert probe.solve(
        known.train.astype("float32"),
        prepared.targets_of("train"),
        len(prepared.labels),
        balanced=False,
        seed=0,
    )[0].shape == (len(prepared.labels), known.train.shape[1])


def test_of_many_rows_drawn_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setattr(features, "MOST_ROWS", 10)
    (tmp_path / "data").mkdir()
    found = {"train": np.arange(80.0).reshape(40, 2), "validation": np.full((3, 2), 1e9)}
    features.keep(tmp_path, found, seed=0)
    first = file_sha256(tmp_path / "data" / features.FILE)
    known = features.kept(tmp_path)
    assert known is not None
    assert known.train.shape == (10, 2)
    np.testing.assert_array_equal(known.train[:, 0], known.rows * 2)
    assert np.isfinite(known.validation).all(), "what float16 cannot hold is its largest number"
    features.keep(tmp_path, found, seed=0)
    assert file_sha256(tmp_path / "data" / features.FILE) == first


def test_a_better_run_ends_with_0_and_one_that_is_not_with_1(
    run_of_tickets: Path, cli: Cli
) -> None:
    for mistaken in (f"better-than={run_of_tickets}", "better-than=colours"):
        assert cli("test", run_of_tickets, "--require", mistaken).code == 2
        assert not looks(run_of_tickets), "a mistake costs no look at the sealed part"
    said = cli("test", run_of_tickets, "--require", "better-than=majority")
    assert said.code == 0, said.err
    assert "required better than majority, met" in said.err
    said = cli("test", run_of_tickets, "--require", "better-than=probe")
    assert said.code == 1
    assert "required better than probe, not met" in said.err


@pytest.mark.parametrize(
    ("asked", "named"),
    [("probe", "'probe'"), ("better-than=", "better-than=NAME"), ("better-than=nobody", "nobody")],
)
def test_a_requirement_that_cannot_be_understood_is_refused_before_any_training(
    cli: Cli, tmp_path: Path, asked: str, named: str
) -> None:
    data = write_csv(tmp_path / "tickets.csv", text_rows(60))
    said = cli("run", data, "--require", asked)
    assert said.code == 2
    assert named in said.err
    assert said.err.count("\n") == 2


def test_a_run_that_is_not_judged_cannot_be_required_anything_of(cli: Cli, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "tickets.csv", text_rows(60))
    said = cli("run", data, "--until", "adapt", "--require", "better-than=probe")
    assert said.code == 2
    assert "ends with adapt" in said.err
