"""Old jobs become recipes that run, and say why each value is what it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import tunewright
from openai_service import serving
from openai_service.server import KEY
from tiny_chats import chats, preferences, write_chat_model
from tunewright.errors import TunewrightError
from tunewright.moving.translated import translated
from tunewright.recipe.load import load_recipe

Cli = Callable[..., Any]
NUMBERS = {"n_epochs": 3, "batch_size": 12, "learning_rate_multiplier": 0.9}


def job(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job",
        "id": f"ftjob-{number}",
        "created_at": 1_746_057_600 + number,
        "model": "gpt-4o-mini-2024-07-18",
        "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:acme:support:1",
        "status": "succeeded",
        "seed": 42,
        "training_file": "file-1",
        "validation_file": None,
        "hyperparameters": NUMBERS,
        "method": {"type": "supervised", "supervised": {"hyperparameters": NUMBERS}},
        **changes,
    }


def dpo(number: int) -> dict[str, Any]:
    inner = {"hyperparameters": {"n_epochs": 2, "beta": 0.2}}
    return job(number, method={"type": "dpo", "dpo": inner}, hyperparameters=None)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A list of jobs, and files under their ids."""
    folder = tmp_path / "exported"
    (folder / "files").mkdir(parents=True)
    jobs = [
        job(1, validation_file="file-2"),
        {**dpo(2), "training_file": "file-3"},
        job(3, method={"type": "reinforcement", "reinforcement": {}}),
        job(4, status="failed"),
        job(5, training_file="file-gone"),
    ]
    (folder / "jobs.json").write_text(json.dumps({"object": "list", "data": jobs}))
    (folder / "files" / "file-1.jsonl").write_text(lines(chats(40)))
    (folder / "files" / "file-2.jsonl").write_text(lines(chats(60)[40:]))
    pairs = [
        {
            "input": {"messages": [{"role": "user", "content": row["prompt"]}]},
            "preferred_output": [{"role": "assistant", "content": row["chosen"]}],
            "non_preferred_output": [{"role": "assistant", "content": row["rejected"]}],
        }
        for row in preferences(40)
    ]
    (folder / "files" / "pairs.jsonl").write_text(lines(pairs))
    files = [{"object": "file", "id": "file-3", "filename": "pairs.jsonl"}]
    (folder / "files.jsonl").write_text(lines(files))
    return folder


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("writers") / "llama")


def test_each_job_becomes_a_recipe_with_its_reasons(exported: Path, tmp_path: Path) -> None:
    found = tunewright.import_openai(exported, out=tmp_path / "moved")
    assert [each["job"] for each in found["recipes"]] == ["ftjob-5", "ftjob-2", "ftjob-1"]
    assert "reinforcement, which is not moved" in found["left_out"]["ftjob-3"]
    assert "it is failed" in found["left_out"]["ftjob-4"]
    text = (tmp_path / "moved" / "ftjob-1" / "recipe.yaml").read_text()
    assert "# Made from job ftjob-1 of 2025-05-01: supervised on gpt-4o-mini-2024-07-18," in text
    assert "epochs: 3  # n_epochs of the job" in text
    assert "batch_size: 12  # batch_size of the job" in text
    assert "accumulate: 2  # so that 6 rows are in memory at once" in text
    assert "learning_rate_multiplier 0.9, where the service's own is about 1.8" in text
    recipe = load_recipe(tmp_path / "moved" / "ftjob-1" / "recipe.yaml")
    assert (recipe.task, recipe.seed, recipe.model) == ("text-generation", 42, "smollm2")
    assert (recipe.train.epochs, recipe.train.batch_size, recipe.train.accumulate) == (3, 12, 2)
    assert recipe.data.validation is not None
    moved = tmp_path / "moved" / "ftjob-1" / "train.jsonl"
    assert moved.read_bytes() == (exported / "files" / "file-1.jsonl").read_bytes()


def test_preferences_keep_their_beta(exported: Path, tmp_path: Path) -> None:
    tunewright.import_openai(exported, out=tmp_path / "moved")
    recipe = load_recipe(tmp_path / "moved" / "ftjob-2" / "recipe.yaml")
    assert (recipe.task, recipe.train.beta, recipe.train.epochs) == ("preference", 0.2, 2)


def test_a_file_that_is_not_to_be_had_is_named(exported: Path, tmp_path: Path) -> None:
    found = tunewright.import_openai(exported, out=tmp_path / "moved")
    assert "file-gone is not to be had" in found["recipes"][0]["notes"][0]
    text = (tmp_path / "moved" / "ftjob-5" / "recipe.yaml").read_text()
    assert "# the file file-gone is not to be had: put it at" in text


def test_a_missing_file_is_said_plainly_each_time(exported: Path, tmp_path: Path, cli: Cli) -> None:
    for _ in range(2):
        said = cli("import-openai", exported, "--out", tmp_path / "moved")
        assert said.code == 0
        at = tmp_path / "moved" / "ftjob-5" / "train.jsonl"
        assert f"warning: file-gone is not to be had: put it at {at}" in said.err
        assert "ftjob-5: its training file is missing" in said.out


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4o-mini-2024-07-18", "no such"])
def test_a_name_that_no_model_here_has_is_refused(
    name: str, exported: Path, tmp_path: Path, cli: Cli
) -> None:
    said = cli("import-openai", exported, "--out", tmp_path / "moved", "--model", name)
    assert said.code == 2
    assert f"no model '{name}'" in said.error()
    assert not (tmp_path / "moved").exists()


def test_a_model_that_writes_nothing_is_refused_for_conversations(
    exported: Path, tmp_path: Path
) -> None:
    with pytest.raises(TunewrightError, match="minilm fits none of the jobs") as refused:
        tunewright.import_openai(exported, out=tmp_path / "moved", model="minilm")
    assert refused.value.fix == "give --model smollm2"


def test_a_job_of_labels_becomes_a_recipe_of_its_task(exported: Path, tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(40)]
    (exported / "files" / "file-9.jsonl").write_text(lines(rows))
    (exported / "labels.json").write_text(json.dumps(job(9, training_file="file-9")))
    left = tunewright.import_openai(exported, out=tmp_path / "moved")["left_out"]
    assert "texts with labels (text-classification), which smollm2" in left["ftjob-9"]
    found = tunewright.import_openai(exported, out=tmp_path / "labels", model="minilm")
    (moved,) = found["recipes"]
    recipe = load_recipe(moved["recipe"])
    assert (recipe.task, recipe.model) == ("text-classification", "minilm")
    assert "does not: --model smollm2" in found["left_out"]["ftjob-1"]


def test_the_option_is_named_and_a_key_is_not_shown(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "in --key" in cli("import-openai").error()
    assert "sk-12345" not in cli("import-openai", "--key", "sk-12345").error()


def test_a_port_where_nobody_listens_is_final_soon(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD_KEY", KEY)
    begun = time.monotonic()
    words = ("--base-url", "http://127.0.0.1:9/v1", "--key", "OLD_KEY")
    assert "nobody answers at 127.0.0.1:9" in cli("import-openai", *words).error()
    assert time.monotonic() - begun < 20


def test_a_recipe_that_someone_changed_is_kept(exported: Path, tmp_path: Path) -> None:
    tunewright.import_openai(exported, out=tmp_path / "moved")
    path = tmp_path / "moved" / "ftjob-1" / "recipe.yaml"
    path.write_text(path.read_text().replace("epochs: 3", "epochs: 1"))
    found = tunewright.import_openai(exported, out=tmp_path / "moved")
    assert load_recipe(path).train.epochs == 1
    assert "was there already" in found["recipes"][-1]["notes"][0]


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_written_trains(
    number: int, exported: Path, tmp_path: Path, writer: Path, one_thread: None
) -> None:
    tunewright.import_openai(exported, out=tmp_path / "moved", model=str(writer))
    path = tmp_path / "moved" / f"ftjob-{number}" / "recipe.yaml"
    assert yaml.safe_load(path.read_text())["model"] == str(writer)
    done = tunewright.run(path, settings=["train.epochs=1", "evaluate.answers=0"])
    assert done.result["verdict"]


def test_the_rate_of_a_known_model_is_its_own_times_the_multiplier(
    exported: Path, tmp_path: Path, writer: Path
) -> None:
    tunewright.import_openai(exported, out=tmp_path / "moved", model=str(writer))
    text = (tmp_path / "moved" / "ftjob-1" / "recipe.yaml").read_text()
    assert "0.5 times the own rate" in text
    assert isinstance(
        load_recipe(tmp_path / "moved" / "ftjob-1" / "recipe.yaml").train.learning_rate, float
    )


def test_a_multiplier_that_the_service_chose_asks_for_nothing() -> None:
    chosen = job(1, hyperparameters={"learning_rate_multiplier": 1.8}, method=None)
    assert translated(chosen, own_rate=1e-4).values["train.learning_rate"] == "auto"
    auto = job(1, hyperparameters={"n_epochs": "auto"}, method=None)
    assert set(translated(auto, own_rate=1e-4).values) == {"seed", "train.learning_rate"}


def test_jobs_are_taken_from_the_service_itself(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD_KEY", KEY)
    with serving(script=("succeeded",), has_more=False) as service:
        file = service.store.add_file("rows.jsonl", lines(chats(20)).encode(), "fine-tune")
        for epochs in (2, 4):
            method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
            body = {"model": "a-model", "training_file": file["id"], "method": method}
            service.store.look(service.store.add_job(body)["id"])
        gone = service.store.add_job({"model": "a-model", "training_file": "file-gone"})
        gone["status"] = "succeeded"
        for held in service.store.jobs.values():
            held["status"] = "succeeded"
        words = ("--out", tmp_path / "moved", "--base-url", service.url, "--key", "OLD_KEY")
        said = cli("import-openai", *words, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert len(found["recipes"]) == 3
    recipes = [load_recipe(each["recipe"]) for each in found["recipes"]]
    assert sorted(str(recipe.train.epochs) for recipe in recipes) == ["2", "4", "auto"]
    assert any("is not to be had" in note for each in found["recipes"] for note in each["notes"])


def test_a_folder_without_jobs_is_refused(tmp_path: Path, cli: Cli) -> None:
    with pytest.raises(TunewrightError, match="holds no fine-tuning jobs"):
        tunewright.import_openai(tmp_path)
    assert "there is no folder" in cli("import-openai", tmp_path / "none").error()
