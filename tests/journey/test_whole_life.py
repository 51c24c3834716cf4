"""From a file to a tested model, as a user does it."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_run import only_run, run_words, weights_hash
from tiny_models import KEYWORDS, text_rows, write_csv

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


# ---- what a run leaves


def test_result_json_has_the_promised_shape(done: Path) -> None:
    result = json.loads((done / "result.json").read_text())
    assert result["schema_version"] == 1
    assert result["task"] == "text-classification"
    assert result["metric"] in result["validation"]
    for scores in (result["validation"], *result["baselines"].values()):
        for score in scores.values():
            assert set(score) >= {"value", "low", "high"}
            assert all(math.isfinite(score[key]) for key in ("value", "low", "high"))
            assert score["low"] <= score["high"]
    assert result["test"] is None
    assert set(result["verdict"]) >= {"better_than_baseline", "difference", "baseline", "sentence"}
    assert set(result["verdict"]["difference"]) >= {"value", "low", "high"}
    assert set(result["train"]) >= {"phases", "best_step", "wall_s", "peak_memory_mib"}
    for phase in result["train"]["phases"]:
        assert set(phase) >= {"name", "trainable_blocks", "epochs", "rows_per_s", "cached"}
    assert [p["trainable_blocks"] for p in result["train"]["phases"]] == [0, 1, 2]
    assert [p["cached"] for p in result["train"]["phases"]] == [True, True, False]
    assert set(result["model"]) >= {"base", "path", "parameters", "trainable_parameters"}
    assert result["model"]["parameters"] == result["model"]["trainable_parameters"]


def test_the_run_folder_is_whole(done: Path) -> None:
    for name in ("recipe.yaml", "run.json", "events.jsonl", "result.json", "report.html"):
        assert (done / name).stat().st_size > 100, name
    for name in ("findings.json", "splits.csv", "seal.json"):
        assert (done / "data" / name).exists(), name
    assert not (done / "checkpoints").exists()
    modes = {path.stat().st_mode for path in (done / "model").iterdir()}
    assert modes == {(done / "run.json").stat().st_mode}  # whoever reads the run reads its model
    state = json.loads((done / "run.json").read_text())
    assert state["state"] == "done"
    assert state["stage"] == "evaluate"
    assert set(state) >= {"id", "versions", "device", "seed", "data_hash", "model_hash"}
    parts = [row["part"] for row in rows_of(done / "data" / "splits.csv")]
    assert {parts.count(part) for part in ("validation", "test")} == {22}
    kinds = [json.loads(line)["event"] for line in (done / "events.jsonl").read_text().splitlines()]
    assert kinds.count("phase_ended") == 3
    assert kinds[-1] == "verdict"
    report = (done / "report.html").read_text()
    assert "<html" in report
    assert "http://" not in report.replace("http://www.w3.org", "")
    model = {path.name for path in (done / "model").iterdir()}
    assert model >= {"config.json", "model.safetensors", "tokenizer.json", "README.md"}


def test_the_paths_that_a_run_tells_hold_in_another_folder(
    tickets: Path, tiny_bert: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_RUNS", "here")
    said = cli(*run_words(tickets, tiny_bert))
    assert said.code == 0, said.err
    run = tmp_path / only_run()
    assert f"model   {run / 'model'}\n" in said.out
    assert f"report  {run / 'report.html'}\n" in said.out
    assert f"report  {run / 'report.html'}\n" in cli("test", f"here/{run.name}").out
    shown = json.loads(cli("runs", "show", "last").out)
    assert shown["folder"] == str(run)
    monkeypatch.chdir("/")
    path = shown["result"]["model"]["path"]
    assert path == str(run / "model")
    assert cli("predict", path, "--text", "a").code == 0


def test_the_resolved_recipe_run_again_gives_the_same_weights(done: Path, cli: Cli) -> None:
    said = cli("run", done / "recipe.yaml")
    assert said.code == 0, said.err
    assert weights_hash(only_run()) == weights_hash(done)
    first, again = (json.loads((r / "result.json").read_text()) for r in (done, only_run()))
    assert first["validation"] == again["validation"]
    assert first["verdict"] == again["verdict"]


def test_no_text_of_the_sealed_part_is_in_the_clear(done: Path, tickets: Path) -> None:
    rows, parts = rows_of(tickets), rows_of(done / "data" / "splits.csv")
    sealed = [rows[int(p["line"]) - 2]["text"] for p in parts if p["part"] == "test"]
    assert len(sealed) == 22
    for path in done.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            content = path.read_bytes().decode("utf-8", "replace")
            assert not [text for text in sealed if text in content], path


# ---- evaluate and test


def test_evaluate_repeats_the_scores_of_the_run(done: Path, cli: Cli) -> None:
    said = cli("evaluate", done, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    result = json.loads((done / "result.json").read_text())
    assert found["scores"] == result["validation"]
    assert found["baselines"] == result["baselines"]
    assert cli("evaluate", done).code == 0


def test_evaluate_refuses_a_file_with_sealed_rows(
    done: Path, tickets: Path, cli: Cli, tmp_path: Path
) -> None:
    said = cli("evaluate", done, "--data", tickets)
    assert said.code == 2
    assert "22 of the 150 rows" in said.error()
    fresh = write_csv(tmp_path / "fresh.csv", text_rows(40, seed=99))
    said = cli("evaluate", done, "--data", fresh, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["rows"] == 40


def test_each_test_is_a_look_and_says_so(copied: Path, cli: Cli) -> None:
    for times in (1, 2, 3):
        said = cli("test", copied, "--json")
        assert said.code == 0, said.err
        result = json.loads(said.out)
        assert result["test"]["looks"] == times
        card = (copied / "model" / "README.md").read_text()
        assert f"Looks at the test part so far: {times}." in card
        assert ("widened for all" in card) == (times > 1)
        assert set(result["test"][result["metric"]]) >= {"value", "low", "high"}
        assert ("Look" in result["verdict"]["sentence"]) == (times > 1)
        if times > 1:
            assert f"Look {times} at this sealed test" in result["verdict"]["sentence"]
    assert len(json.loads((copied / "data" / "seal.json").read_text())["looks"]) == 3
    assert "test" in (copied / "report.html").read_text()
    assert len(json.loads(cli("runs", "show", copied.name).out)["result"]["test"]) > 1


def test_looks_are_counted_across_runs_of_the_same_data(
    tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(*run_words(tickets, tiny_bert), "--test", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["test"]["looks"] == 1
    said = cli(*run_words(tickets, tiny_bert), "--set", "train.learning_rate=0.002", "--json")
    assert json.loads(said.out)["test"] is None
    said = cli("test", "last", "--json")
    assert json.loads(said.out)["test"]["looks"] == 2
    listed = json.loads(cli("runs", "--json").out)
    assert len(listed) == 2
    assert all(run["test"] is not None and run["state"] == "done" for run in listed)


def test_another_seed_seals_other_rows(tickets: Path, tiny_bert: Path, cli: Cli) -> None:
    looks = []
    for seed in (0, 1):
        said = cli(*run_words(tickets, tiny_bert), "--seed", seed, "--test", "--json")
        looks.append(json.loads(said.out)["test"]["looks"])
    assert looks == [1, 1]


def test_a_run_whose_data_changed_is_not_tested(tiny_bert: Path, cli: Cli, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", text_rows(120))
    assert cli(*run_words(path, tiny_bert)).code == 0
    write_csv(path, text_rows(120, seed=8))
    said = cli("test", "last")
    assert said.code == 2
    said.error()
    assert json.loads((only_run() / "data" / "seal.json").read_text())["looks"] == []
    path.unlink()
    said = cli("test", "last")
    assert said.code == 2
    said.error()
    listed = json.loads(cli("runs", "--json").out)
    assert listed[0]["state"] == "done"


# ---- the seal stays closed


def test_nothing_in_the_training_path_opens_the_seal(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def never(*args: object, **_: object) -> None:
        opened.append(args)
        raise AssertionError("the seal was opened")

    monkeypatch.setattr("tunewright.judging.open_seal", never)
    monkeypatch.setattr("tunewright.data.seal.open_seal", never)
    monkeypatch.setattr("tunewright.data.seal._unseal", never)
    assert cli(*run_words(tickets, tiny_bert)).code == 0
    assert cli("evaluate", "last").code == 0
    assert cli("predict", "last", "--text", "a").code == 0
    assert opened == []
    assert cli("test", "last").code == 1
    assert len(opened) == 1


def test_only_the_judge_imports_what_opens_the_seal() -> None:
    import tunewright

    root = Path(tunewright.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "open_seal" in path.read_text("utf-8") or "_unseal" in path.read_text("utf-8")
    }
    assert users == {"judging.py", "data/seal.py"}


# ---- stages and ways to ask


@pytest.mark.parametrize("stage", ["choose", "prepare", "adapt", "train"])
def test_a_run_stops_after_the_stage_that_was_asked_for_and_can_go_on(
    stage: str, tickets: Path, tiny_bert: Path, done: Path, cli: Cli
) -> None:
    said = cli(*run_words(tickets, tiny_bert), "--until", stage, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out) == {"run": only_run().name, "until": stage}
    assert not (only_run() / "result.json").exists()
    assert (only_run() / "data" / "seal.json").exists() == (stage != "choose")
    assert (only_run() / "model").exists() == (stage == "train")
    state = json.loads(cli("runs", "--json").out)[0]
    assert (state["state"], state["stage"]) == ("interrupted", stage)
    if stage != "train":
        said = cli("test", "last")
        assert said.code == 2
        assert "no finished model" in said.error()
    if stage in ("prepare", "train"):
        assert cli("run", "--resume", "last").code == 0
        assert weights_hash(only_run()) == weights_hash(done)


def test_a_done_run_is_not_resumed(copied: Path, cli: Cli) -> None:
    said = cli("run", "--resume", copied)
    assert said.code == 2
    assert "is done already" in said.error()


def test_the_python_function_takes_recipe_keys(tickets: Path, tiny_bert: Path) -> None:
    import tunewright

    finished = tunewright.run(
        data=str(tickets),
        model=str(tiny_bert),
        train={"epochs": 1, "threads": 1, "precision": "fp32", "strategy": "full"},
        evaluate={"resamples": 100},
        name="From Python",
    )
    assert "-from-python-" in finished.folder.name
    assert finished.result["train"]["phases"][0]["trainable_blocks"] == 2
    assert finished.report.exists()
    answers = finished.predict(["an invoice", "a parcel"])
    assert {answer["label"] for answer in answers} <= set(KEYWORDS)
    (alone,) = finished.predict("an invoice")
    assert alone["label"] == answers[0]["label"]
    assert alone["confidence"] == pytest.approx(answers[0]["confidence"], abs=1e-5)
    with pytest.raises(tunewright.TunewrightError):
        tunewright.run(data=str(tickets), modle="x")


@pytest.mark.parametrize(
    "settings",
    [
        ["adapt.method=head"],
        ["train.strategy=head", "train.class_weights=balanced"],
        ["train.strategy=full", "train.accumulate=3", "train.label_smoothing=0.1"],
        ["train.phases=[{blocks: 0, epochs: 1}, {blocks: all, epochs: 1, learning_rate: 5e-4}]"],
        ["train.precision=bf16", "train.schedule=cosine", "adapt.dropout=model"],
        ["train.max_length=6", "train.clip=0", "train.schedule=constant"],
        ["evaluate.metric=log_loss", "data.split.validation=0.3", "adapt.dropout=0.2"],
        ["evaluate.metric=mcc", "data.columns.text=text", "train.batch_size=200"],
    ],
)
def test_every_kind_of_recipe_runs_to_its_verdict(
    settings: list[str], tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(*run_words(tickets, tiny_bert, "train.epochs=1", *settings), "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["verdict"]["sentence"]
    if "head" in settings[0]:
        assert result["model"]["trainable_parameters"] < result["model"]["parameters"] / 4


def test_the_progress_shows_the_deciding_metric(tickets: Path, tiny_bert: Path, cli: Cli) -> None:
    said = cli(*run_words(tickets, tiny_bert, "train.epochs=1", "evaluate.metric=mcc"))
    assert said.code == 0, said.err
    scores = re.findall(r"step \d+: (.*)", said.err)
    assert len(scores) >= 3
    assert all(score.startswith("validation MCC ") for score in scores)


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_the_precision_is_measured_only_when_it_is_not_asked_for(
    precision: str, tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[object] = []

    def rate(width: int, kind: object, device: object) -> float:
        measured.append(kind)
        return 1.0

    monkeypatch.setattr("tunewright.backends.torch.session.product_rate", rate)
    words = run_words(tickets, tiny_bert, f"train.precision={precision}")
    assert cli(*words, "--until", "adapt").code == 0
    assert len(set(measured)) == (2 if precision == "auto" else 1)


def test_two_labels_and_given_parts(tiny_bert: Path, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = text_rows(150, labels=2)
    write_csv(folder / "train.csv", rows[:90])
    write_csv(folder / "validation.csv", rows[90:120])
    write_csv(folder / "test.csv", rows[120:])
    said = cli(*run_words(folder, tiny_bert), "--test", "--json")
    assert said.code == 0, said.err
    assert json.loads((only_run() / "data" / "seal.json").read_text())["rows"] == 30


def test_json_prints_one_document_and_nothing_else_on_stdout(
    tickets: Path, tiny_bert: Path
) -> None:
    words = [*run_words(tickets, tiny_bert), "--json"]
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "tunewright.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"] == 1
    assert len(done.stdout.splitlines()) == 1
    assert "it/s]" not in done.stderr
    assert "Warning" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error(done: Path, tickets: Path) -> None:
    command = f"{sys.executable} -m tunewright.cli.main predict {done} {tickets} | head -1"
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert len(piped.stdout.splitlines()) == 1
    assert "error" not in piped.stderr.lower()
    assert "Exception" not in piped.stderr
