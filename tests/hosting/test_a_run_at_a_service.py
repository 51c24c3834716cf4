"""A run whose training a service does, from a file to a verdict."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunewright
from openai_service import StandIn
from openai_service.server import KEY
from tiny_chats import preferences, write_lines
from tunewright.data.seal import open_seal
from tunewright.durable import read_lines
from tunewright.errors import TunewrightError
from tunewright.judging import done_run, opened_model

At = Callable[..., dict[str, Any]]
Cli = Callable[..., Any]


def events_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [each for each in read_lines(folder / "events.jsonl") if each["event"] == kind]


def test_from_conversations_to_a_verdict(service: StandIn, conversations: Path, at: At) -> None:
    done = tunewright.run(conversations, test=True, **at(train={"epochs": 2}, seed=5))
    result = done.result
    assert result["metric"] == "rougeL"
    assert result["verdict"]["better_than_baseline"]
    assert set(result["baselines"]) == set(result["verdict"]["differences"]) == {"base", "few-shot"}
    assert result["test"]["looks"] == 1
    assert result["test"]["rougeL"]["value"] > result["baselines"]["base"]["rougeL"]["value"]
    assert result["answers"]["metrics"]["rougeL"]["tuned"] == result["validation"]["rougeL"]
    assert result["train"]["trained_tokens"] == 1234
    assert result["model"]["name"].startswith("ft:tiny-model-1:")
    (body,) = service.created
    assert body["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 2}},
    }
    assert (body["seed"], body["metadata"]) == (5, {"tunewright_run": done.folder.name})
    steps = events_of(done.folder, "steps")
    assert [each["step"] for each in steps] == sorted({each["step"] for each in steps})
    assert [each["step"] for each in events_of(done.folder, "evaluated")] == [2, 3]
    report = done.report.read_text()
    assert "here" in report
    assert "Learning curves" in report
    assert "the service that" in (done.folder / "model" / "README.md").read_text()
    assert "epochs: 2  # asked for" in (done.folder / "recipe.yaml").read_text()


def test_what_the_job_leaves_is_fetched(service: StandIn, conversations: Path, at: At) -> None:
    done = tunewright.run(conversations, **at())
    kept = done.folder / "service"
    rows = list(csv.DictReader(io.StringIO((kept / "results.csv").read_text())))
    assert rows[0]["train_loss"] == "2.0"
    checkpoints = json.loads((kept / "checkpoints.json").read_text())
    assert [each["step_number"] for each in checkpoints] == [20, 10]
    assert checkpoints[0]["fine_tuned_model_checkpoint"].endswith(":ckpt-step-20")
    served = json.loads((done.folder / "model" / "service.json").read_text())
    assert served["model"] == done.result["model"]["name"]
    assert served["key"] == "STAND_IN_KEY"


def test_the_key_is_written_nowhere(service: StandIn, conversations: Path, at: At) -> None:
    done = tunewright.run(conversations, **at())
    files = [path for path in done.folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_the_sealed_test_is_never_sent_to_be_trained_on(
    service: StandIn, conversations: Path, at: At
) -> None:
    done = tunewright.run(conversations, **at(evaluate={"answers": 100}))
    sealed = open_seal(done.folder, run_id=done.folder.name, command="a test")
    asked = [json.loads(text)["messages"] for text in sealed.texts]
    sent = b"".join(service.store.contents.values()).decode()
    questions = [messages[0]["content"] for messages in asked]
    assert len(questions) > 5
    assert [each for each in questions if json.dumps(each) in sent] == []
    said = [body["messages"][-1]["content"] for body in service.asked]
    assert set(questions) & set(said) == set()
    tunewright.test(done.folder)
    said = [body["messages"][-1]["content"] for body in service.asked]
    assert set(questions) <= set(said)
    files = [each for each in service.store.files.values() if each["purpose"] == "fine-tune"]
    assert len(files) == 2


def test_the_model_can_be_asked_afterwards(
    service: StandIn, conversations: Path, at: At, cli: Cli
) -> None:
    done = tunewright.run(conversations, **at())
    (answer,) = tunewright.predict(done.folder, text="where is parcel 5?")
    assert answer["answer"].startswith("the parcel is here")
    talk = tunewright.chat(done.folder)
    said = dict(talk.answers("where is parcel 5?"))
    assert said["base"] == "I do not know that."
    assert said["tuned"] == answer["answer"]
    judged = json.loads(cli("evaluate", done.folder, "--json").out)
    assert judged["scores"]["rougeL"] == done.result["validation"]["rougeL"]
    assert "does not give them away" in cli("export", done.folder, "out").error()
    with pytest.raises(TunewrightError, match="no losses"):
        opened_model(*done_run(done.folder))


def test_a_folder_from_elsewhere_does_not_choose_where_a_key_goes(
    service: StandIn, conversations: Path, at: At, tmp_path: Path
) -> None:
    done = tunewright.run(conversations, **at())
    copied = shutil.copytree(done.folder / "model", tmp_path / "downloaded")
    asked = len(service.requests)
    with pytest.raises(TunewrightError, match=r"asks to send \$STAND_IN_KEY to http"):
        list(tunewright.predict(copied, text="where is parcel 5?"))
    assert len(service.requests) == asked


def test_pairs_of_answers_become_a_job_of_preferences(
    service: StandIn, tmp_path: Path, at: At
) -> None:
    data = write_lines(tmp_path / "pairs.jsonl", preferences(60))
    done = tunewright.run(data, **at(train={"beta": 0.3}))
    (body,) = service.created
    numbers = body["method"]["dpo"]["hyperparameters"]
    assert (body["method"]["type"], numbers["beta"]) == ("dpo", 0.3)
    line = json.loads(service.store.contents[body["training_file"]].splitlines()[0])
    assert set(line) == {"input", "preferred_output", "non_preferred_output"}
    assert done.result["verdict"]["better_than_baseline"]


def test_texts_with_labels_become_conversations(service: StandIn, tickets: Path, at: At) -> None:
    done = tunewright.run(tickets, test=True, **at(evaluate={"answers": "auto"}))
    result = done.result
    assert result["metric"] == "accuracy"
    assert set(result["validation"]) == {"accuracy", "macro_f1", "mcc"}
    assert set(result["baselines"]) == {"majority", "tfidf", "base"}
    assert result["baselines"]["base"]["accuracy"]["value"] == 0.0
    assert result["validation"]["accuracy"]["value"] > 0.7
    line = json.loads(service.store.contents[service.created[0]["training_file"]].splitlines()[0])
    roles = [each["role"] for each in line["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert line["messages"][2]["content"] in line["messages"][0]["content"]
    (answer,) = tunewright.predict(done.folder, text="a text")
    assert set(answer) == {"text", "label", "confidence"}
    assert "none of the labels" not in (done.folder / "model" / "README.md").read_text()


def test_the_resolved_recipe_runs_again_as_it_is(
    service: StandIn, conversations: Path, at: At
) -> None:
    done = tunewright.run(conversations, **at(evaluate={"answers": "auto"}))
    again = tunewright.run(done.folder / "recipe.yaml")
    assert again.result["validation"] == done.result["validation"]
    first, second = service.created
    moving = ("training_file", "validation_file", "metadata")
    assert {k: v for k, v in first.items() if k not in moving} == {
        k: v for k, v in second.items() if k not in moving
    }
