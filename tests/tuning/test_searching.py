"""A search: trials that are ordinary runs, finalists over seeds, a winner; the seal stays closed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright import errors
from tunewright.history.plans import folder_mib
from tunewright.life import run
from tunewright.recipe.load import load_recipe
from tunewright.tuning.search import tune

pytestmark = pytest.mark.usefixtures("one_thread")
PLAIN = ["train.threads=1", "train.precision=fp32", "evaluate.resamples=100"]
SPACE = {
    "adapt.layers": ["top-1", "all"],
    "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "train.batch_size": [8, 16],
    "train.strategy": ["full"],
}
SEARCH = [*PLAIN, "train.epochs=2", f"tune.space={json.dumps(SPACE)}"]
Cli = Callable[..., Any]


def search(data: Path, model: Path, *more: str, **budget: Any) -> dict[str, Any]:
    return tune(data, model=str(model), settings=[*SEARCH, *more], **budget)


def study() -> Path:
    from tunewright.history.folder import runs_folder

    (found,) = runs_folder().glob("*-tune-*")
    return found


@pytest.fixture(scope="module")
def searched(
    tickets: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, list[dict[str, Any]], float]:
    """A search, its folder, its events, and the most that it took on disk."""
    root = tmp_path_factory.mktemp("searched")
    events: list[dict[str, Any]] = []
    most = 0.0

    def listen(event: dict[str, Any]) -> None:
        nonlocal most
        events.append(event)
        most = max(most, folder_mib(root / "runs"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(root / "runs"))
        patch.setenv("TUNEWRIGHT_CACHE", str(root / "cache"))
        guess = json.dumps([{"train.learning_rate": 3e-3}])
        found = search(
            tickets,
            tiny_bert,
            f"tune.guesses={guess}",
            "tune.seeds=2",
            "tune.pruner=median",
            trials=8,
            listeners=(listen,),
        )
        folder = study()
    return found, folder, events, most


Searched = tuple[dict[str, Any], Path, list[dict[str, Any]], float]


def test_the_default_recipe_is_first_and_guesses_are_next(searched: Searched) -> None:
    found, *_ = searched
    kinds = [row["kind"] for row in found["table"]]
    assert kinds[:2] == ["default", "guess"]
    assert found["table"][0]["settings"] == {}
    assert found["table"][1]["settings"] == {"train.learning_rate": 3e-3}
    assert len(kinds) == 8 == found["trials"]["all"]


def test_trials_begin_shallow_and_the_best_go_deeper(searched: Searched) -> None:
    found, *_ = searched
    drawn = [row for row in found["table"] if row["kind"] == "drawn"]
    assert {row["settings"]["adapt.layers"] for row in drawn} == {"top-1"}
    (deeper,) = [row for row in found["table"] if row["kind"] == "deeper"]
    assert deeper["settings"]["adapt.layers"] == "all"
    same = {**deeper["settings"], "adapt.layers": "top-1"}
    assert same in [row["settings"] for row in drawn]


def test_trials_are_ordinary_runs_with_events_of_their_own(searched: Searched) -> None:
    found, folder, *_ = searched
    for row in found["table"]:
        trial = folder / row["folder"]
        names = {path.name for path in trial.iterdir()}
        assert {"run.json", "recipe.yaml", "events.jsonl", "result.json"} <= names
        assert json.loads((trial / "run.json").read_text())["state"] == "done"
        assert not (trial / "checkpoints").exists()
        result = json.loads((trial / "result.json").read_text())
        assert result["validation"][found["metric"]]["value"] == row["value"]


def test_there_is_one_split_and_one_seal_and_nobody_looks(searched: Searched) -> None:
    _, folder, *_ = searched
    assert [path.parent.parent for path in folder.rglob("seal.json")] == [folder]
    assert json.loads((folder / "data" / "seal.json").read_text())["looks"] == []


def test_a_trial_is_the_run_of_its_recipe(
    searched: Searched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Trained beside others with one open model, or alone: the scores are the same."""
    found, folder, *_ = searched
    whole = [r for r in found["table"] if r["state"] == "complete" and r["kind"] == "deeper"]
    drawn = [r for r in found["table"] if r["state"] == "complete" and r["kind"] == "drawn"]
    for row in (drawn[-1], *whole):
        alone = run(folder / row["folder"] / "recipe.yaml").folder
        told = [
            [(e["step"], e["scores"]) for e in events_of(each) if e["event"] == "evaluated"]
            for each in (alone, folder / row["folder"])
        ]
        assert [step for step, _ in told[0]] == [step for step, _ in told[1]]
        for (_, one), (_, other) in zip(*told, strict=True):
            assert one == pytest.approx(other, abs=1e-4)


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_the_winner_is_named_over_seeds_and_its_recipe_runs(
    searched: Searched, tmp_path: Path
) -> None:
    found, folder, *_ = searched
    best = found["best"]
    for each in found["finalists"]:
        assert each["seeds"] == [0, 1]
        assert each["score"]["value"] == pytest.approx(np.mean(each["values"]), abs=1e-6)
    means = {each["trial"]: np.mean(each["values"]) for each in found["finalists"]}
    assert (
        max(means, key=lambda trial: means[trial]) == best["trial"] or found["metric"] == "log_loss"
    )
    assert 0 in means  # the default recipe is repeated too
    recipe = load_recipe(folder / "best.yaml")
    assert recipe.data.split.seed == 0
    again = run(folder / "best.yaml").result
    assert again["validation"][found["metric"]]["value"] == pytest.approx(
        next(row["value"] for row in found["table"] if row["number"] == best["trial"]), abs=1e-4
    )


def test_the_result_says_trials_looks_and_luck(searched: Searched) -> None:
    found, folder, events, _ = searched
    assert found["schema_version"] == 1
    evaluated = [event for event in events if event["event"] == "evaluated"]
    assert found["looks"] == len(evaluated)
    assert found["luck"]["rows"] == found["rows"]["validation"]
    assert "uck" in found["luck_sentence"]
    assert json.loads((folder / "result.json").read_text()) == found


def test_the_disk_never_holds_more_than_the_bound(searched: Searched) -> None:
    found, folder, _, most = searched
    assert most <= found["disk_mib"]["bound"]
    assert len(list(folder.rglob("model"))) <= 1
    kept = [row for row in found["table"] if row["weights"]]
    assert len(kept) == 1


def test_the_page_shows_every_trial_and_asks_for_nothing(searched: Searched) -> None:
    found, folder, *_ = searched
    page = (folder / "report.html").read_text("utf-8")
    assert not re.search(r"<script|<link|src=|https?://(?!www\.w3\.org)", page)
    assert page.count("<svg") >= 4
    table = page[page.index('id="table"') :]
    for row in found["table"]:
        assert f">{row['number']}" in table
    assert "best.yaml" in page


def test_the_rows_are_read_once_and_the_model_is_opened_once(
    tickets: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.backends.torch import session
    from tunewright.data import prepare as preparing

    opened, read = [], []
    load, parts = session.load_classifier, preparing.read_parts
    monkeypatch.setattr(
        session, "load_classifier", lambda *a, **k: opened.append(1) or load(*a, **k)
    )
    monkeypatch.setattr(preparing, "read_parts", lambda *a, **k: read.append(1) or parts(*a, **k))
    search(tickets, tiny_bert, "tune.seeds=1", "tune.keep=0", trials=4)
    assert (len(opened), len(read)) == (1, 1)


def test_minutes_end_a_search(tickets: Path, tiny_bert: Path) -> None:
    found = search(tickets, tiny_bert, "tune.seeds=1", "tune.keep=0", minutes=0.02)
    assert 1 <= found["trials"]["all"] < 20


def test_a_search_without_an_end_is_refused(tickets: Path, tiny_bert: Path) -> None:
    with pytest.raises(errors.RecipeError, match="has no end"):
        search(tickets, tiny_bert)


def test_a_search_never_opens_the_seal(tickets: Path, tiny_bert: Path) -> None:
    with pytest.raises(errors.RecipeError, match="never opens the seal"):
        search(tickets, tiny_bert, "test.open=true", trials=2)


def test_where_all_trials_fail_the_first_cause_is_named_once(
    tickets: Path, tiny_bert: Path
) -> None:
    burning = ["train.learning_rate=1e30", "train.clip=0", "train.strategy=full", "train.epochs=1"]
    space = 'tune.space={"train.batch_size": [8, 16, 32]}'
    with pytest.raises(errors.FailedRunError, match="all 3 trials failed; the first: the ") as told:
        tune(tickets, model=str(tiny_bert), trials=3, settings=[*PLAIN, *burning, space])
    assert told.value.what.count("is not a finite number") == 1
    assert json.loads((study() / "run.json").read_text())["state"] == "failed"


def test_bad_data_leave_no_search_behind(tmp_path: Path, tiny_bert: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("text,label\n,\n")
    with pytest.raises(errors.TunewrightError):
        search(bad, tiny_bert, trials=2)
    from tunewright.history.folder import runs_folder

    assert list(runs_folder().glob("*")) == []


def test_the_command_names_the_winner(cli: Cli, tickets: Path, tiny_bert: Path) -> None:
    sets = [*SEARCH, "tune.seeds=1", "tune.keep=0"]
    said = cli("tune", tickets, "--model", tiny_bert, "--trials", 3, "--set", *sets)
    assert said.code == 0, said.err
    assert "on validation" in said.out
    assert "tunewright run " in said.out
    assert said.err.count("trial ") >= 3
    shown = cli("runs", "show", "last", "--json")
    assert json.loads(shown.out)["result"]["kind"] == "tune"
