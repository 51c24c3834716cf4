"""A run tells which of its rows look wrong to the model; the check does too, without training."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import QUICK
from tiny_models import FILLER, KEYWORDS, write_csv

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
ROWS, FLIPPED, LONG = 240, range(0, 240, 24), 7


def rows() -> list[tuple[str, str]]:
    """Rows of one word again and again; some with a wrong label, one too long."""
    draw = random.Random(3)
    names = list(KEYWORDS)
    found = []
    for row in range(ROWS):
        words = [KEYWORDS[names[row % 3]][0]] * 6 + draw.sample(FILLER, 4)
        if row == LONG:
            words *= 20
        label = names[(row + 1) % 3] if row in FLIPPED else names[row % 3]
        found.append((" ".join(words), label))
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("planted") / "planted.csv", rows())


@pytest.fixture(scope="module")
def run_of_it(planted: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tunewright

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(tmp_path_factory.mktemp("suspects") / "runs"))
        return tunewright.run(planted, model=str(tiny_bert), settings=[*QUICK, "seed=1"]).folder


def finding(findings: list[dict[str, Any]], code: str) -> dict[str, Any]:
    return next(each for each in findings if each["code"] == code)


def found_in(run: Path, name: str = "findings.json") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run / "data" / name).read_text())["findings"]
    return found


def lines_of(run: Path, *parts: str) -> set[int]:
    with (run / "data" / "splits.csv").open() as file:
        return {int(row["line"]) for row in csv.DictReader(file) if row["part"] in parts}


def test_wrong_labels_are_found_and_named(run_of_it: Path) -> None:
    doubted = finding(found_in(run_of_it), "label-error")
    seen = lines_of(run_of_it, "train", "validation")
    planted = {row + 2 for row in FLIPPED} & seen
    told = {row["line"] for row in doubted["rows"]}
    assert len(told) >= 2  # random blocks tell little apart, and the probes know it
    assert told <= planted
    names = list(KEYWORDS)
    for row in doubted["rows"]:
        assert row["suggested"] == names[(row["line"] - 2) % 3]
        assert row["suggested"] != row["label"]


def test_rows_of_the_sealed_test_are_never_looked_at(run_of_it: Path) -> None:
    sealed = lines_of(run_of_it, "test")
    assert {row + 2 for row in FLIPPED} & sealed  # it has wrong labels of its own
    for code in ("label-error", "outlier", "truncated"):
        some = [each for each in found_in(run_of_it) if each["code"] == code]
        assert not {row["line"] for each in some for row in each["rows"]} & sealed


def test_what_is_cut_is_counted(run_of_it: Path) -> None:
    cut = finding(found_in(run_of_it), "truncated")
    assert [row["line"] for row in cut["rows"]] == [LONG + 2]
    assert cut["rows"][0]["lost_tokens"] > 100


def test_findings_json_has_no_texts_and_the_report_has_them(run_of_it: Path) -> None:
    assert all("text" not in row for each in found_in(run_of_it) for row in each["rows"])
    assert finding(found_in(run_of_it, "suspects.json"), "label-error")["rows"][0]["text"]
    page = (run_of_it / "report.html").read_text()
    assert "Labels that look wrong" in page
    assert "looks like" in page


def test_the_cost_is_told(run_of_it: Path) -> None:
    events = [json.loads(line) for line in (run_of_it / "events.jsonl").read_text().splitlines()]
    (told,) = (event for event in events if event["event"] == "suspected")
    assert 0 < told["features_s"] <= told["seconds"]
    assert {each["code"] for each in told["findings"]} >= {"label-error", "truncated"}


def test_evaluating_shows_them_and_keeps_the_findings(
    run_of_it: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(run_of_it.parent))
    before = found_in(run_of_it)
    said = cli("evaluate", run_of_it.name, "--json")
    assert said.code == 0, said.err
    suspects = json.loads(said.out)["suspects"]
    ranked = [row["place"] for row in suspects if row["code"] == "label-error"]
    assert ranked == [row["place"] for row in finding(before, "label-error")["rows"]]
    assert found_in(run_of_it) == before
    assert "may be wrong: " in cli("evaluate", run_of_it.name).out


def test_the_check_finds_the_same_without_training(
    run_of_it: Path, planted: Path, tiny_bert: Path, cli: Cli
) -> None:
    settings = [*QUICK, "seed=1"]
    said = cli("check", planted, "--model", tiny_bert, "--json", "--set", *settings)
    assert said.code == 0, said.err
    there, here = found_in(run_of_it), json.loads(said.out)["findings"]
    assert [each["code"] for each in here] == [each["code"] for each in there]
    doubted = finding(here, "label-error")["rows"]
    assert [row["line"] for row in doubted] == [
        row["line"] for row in finding(there, "label-error")["rows"]
    ]
    assert doubted[0]["text"]


def test_where_an_error_comes_first_the_check_says_that_the_model_did_not_look(
    tiny_bert: Path, cli: Cli, tmp_path: Path
) -> None:
    write_csv(tmp_path / "train.csv", rows())
    write_csv(tmp_path / "test.csv", rows()[:60])  # all of them leak
    said = cli("check", tmp_path, "--model", tiny_bert, "--json")
    assert said.code == 1, said.err
    found = json.loads(said.out)["not_looked_for"]
    assert found == dict.fromkeys(("label-error", "outlier", "truncated"), found["outlier"])
    assert "leak is an error to mend first" in found["outlier"]
    said = cli("check", tmp_path, "--model", tiny_bert)
    assert "label-error was not looked for: " in said.out


def test_without_a_model_none_is_looked_for(planted: Path, cli: Cli) -> None:
    found = json.loads(cli("check", planted, "--json").out)["findings"]
    assert not {"label-error", "outlier", "truncated"} & {each["code"] for each in found}


def test_a_run_that_goes_on_does_not_look_again(
    planted: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tunewright
    from tunewright import life

    first = tunewright.run(
        planted, until="adapt", model=str(tiny_bert), settings=[*QUICK, "seed=1"]
    )
    before = found_in(first.folder)
    assert finding(before, "label-error")
    monkeypatch.setattr(life, "look_for_suspects", None)
    assert found_in(tunewright.run(resume=first.folder).folder) == before


@pytest.mark.parametrize("kind", ["numbers", "several"])
def test_labels_that_cannot_be_judged_are_told(kind: str, tiny_bert: Path, tmp_path: Path) -> None:
    import tunewright

    path = tmp_path / "rows.jsonl"
    label = {
        "numbers": lambda row, name: row + 0.5,
        "several": lambda row, name: [name, *(["even"] if row % 2 else [])],
    }[kind]
    content = [{"text": text, "label": label(row, name)} for row, (text, name) in enumerate(rows())]
    path.write_text("\n".join(map(json.dumps, content)) + "\n")
    done = tunewright.run(path, until="adapt", model=str(tiny_bert), settings=QUICK)
    left_out = json.loads((done.folder / "data" / "suspects.json").read_text())["left_out"]
    assert left_out == {
        "label-error": {"numbers": "labels are numbers", "several": "rows have several labels"}[
            kind
        ]
    }
    assert "label-error" not in {each["code"] for each in found_in(done.folder)}
