"""Jobs from the request to the model, by the official client."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from followed import metrics
from served import served, settings_in
from tiny_chats import chats, write_chat_model
from tunewright.history.folder import runs_folder
from tunewright.recipe.load import load_recipe
from tunewright.serve.jobs.job_recipes import recipe_of
from worked import SETTINGS, create, ten_chats, trained, upload, wait_for, working


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def client(tmp_path: Path, model: Path, tiny_bert: Path) -> Iterator[OpenAI]:
    models = (f"tiny={model}", f"bert={tiny_bert}")
    with trained(settings_in(tmp_path, models=models)) as client:
        yield client


def test_ten_examples_become_a_model(client: OpenAI) -> None:
    file = upload(client, ten_chats())
    job = create(
        client,
        file,
        suffix="my bot",
        metadata={"who": "me"},
        hyperparameters={"n_epochs": 4, "batch_size": 5},
    )
    assert re.fullmatch(r"ftjob-\w{24}", job.id)
    assert job.status in ("validating_files", "queued")
    assert isinstance(job.seed, int)
    done = wait_for(client, job.id, "succeeded")
    assert re.fullmatch(r"ft:tiny:local:my-bot:\w{8}", done.fine_tuned_model)
    assert done.trained_tokens > 0
    assert done.finished_at >= done.created_at
    assert done.error is None
    own = done.method.supervised.hyperparameters
    assert done.hyperparameters.to_dict() == own.to_dict()
    assert done.hyperparameters.to_dict() == {
        "n_epochs": 4,
        "batch_size": 5,
        "learning_rate_multiplier": 1.0,
    }
    assert (done.metadata, done.user_provided_suffix) == ({"who": "me"}, "my bot")
    told = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=3)][::-1]
    order = [
        "Created fine-tuning job",
        "Validating training file",
        "Files validated",
        "Fine-tuning job started",
        "Step 1/8",
        "Step 8/8",
        "New fine-tuned model created",
        "The job has successfully completed",
    ]
    places = [next(n for n, each in enumerate(told) if each.startswith(some)) for some in order]
    assert places == sorted(places)
    steps = [e for e in client.fine_tuning.jobs.list_events(job.id) if e.type == "metrics"][::-1]
    assert [event.data["step"] for event in steps] == list(range(1, 9))
    assert {event.data["total_steps"] for event in steps} == {8}
    assert steps[-1].data["train_loss"] < steps[0].data["train_loss"]
    assert {event.data["full_valid_loss"] for event in steps} == {None}
    kept = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [each.step_number for each in kept] == [8, 6, 4]
    assert kept[0].fine_tuned_model_checkpoint == f"{done.fine_tuned_model}:ckpt-step-8"
    losses = {event.data["step"]: event.data["train_loss"] for event in steps}
    assert all(each.metrics.train_loss == losses[each.step_number] for each in kept)
    messages = [e.message for e in client.fine_tuning.jobs.list_events(job.id)][::-1]
    for step in (2, 4, 6, 8):
        (made,) = (
            n for n, m in enumerate(messages) if m.startswith(f"Checkpoint created at step {step}:")
        )
        assert any(m.startswith(f"Step {step}/8") for m in messages[:made])
    content = client.files.content(done.result_files[0]).text
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [float(row["train_loss"]) for row in rows] == [e.data["train_loss"] for e in steps]
    assert client.models.retrieve(done.fine_tuned_model).id == done.fine_tuned_model


def test_a_validation_file_is_measured_after_each_epoch(client: OpenAI) -> None:
    rows = chats(16)
    job = create(
        client,
        upload(client, rows[:10]),
        validation_file=upload(client, rows[10:]),
        hyperparameters={"n_epochs": 2, "batch_size": 5},
    )
    wait_for(client, job.id, "succeeded")
    steps = [e for e in client.fine_tuning.jobs.list_events(job.id) if e.type == "metrics"][::-1]
    assert [event.data["full_valid_loss"] is not None for event in steps] == [
        False,
        True,
        False,
        True,
    ]
    (last, _) = client.fine_tuning.jobs.checkpoints.list(job.id)
    assert last.metrics.full_valid_loss == steps[-1].data["full_valid_loss"]
    assert 0 <= last.metrics.full_valid_mean_token_accuracy <= 1


def recipe_of_run(job: str) -> Any:
    (run,) = (path for path in runs_folder().iterdir() if job[6:].lower() in path.name)
    return load_recipe(run / "recipe.yaml")


def test_the_multiplier_is_times_the_rate_that_would_be_chosen(client: OpenAI) -> None:
    file, rates = upload(client, ten_chats()), []
    for times in (1.0, 0.5):
        numbers = {"n_epochs": 1, "learning_rate_multiplier": times}
        job = create(client, file, hyperparameters=numbers)
        done = wait_for(client, job.id, "succeeded")
        assert done.hyperparameters.learning_rate_multiplier == times
        rates.append(recipe_of_run(job.id).train.learning_rate)
    assert rates[1] == pytest.approx(0.5 * rates[0])


LABELLED = {
    "text-classification": ("delivery", "refund"),
    "text-multi-label": (["delivery"], ["refund", "delivery"]),
    "text-regression": (0.5, 2.5),
}


def labelled(task: str, count: int) -> list[dict[str, Any]]:
    pairs = zip(("the parcel is late", "a refund please"), LABELLED[task], strict=True)
    of_both = list(pairs)
    return [
        {"text": f"{text} {n}", "label": label} for n in range(count) for text, label in of_both
    ]


@pytest.mark.parametrize(
    ("task", "epochs", "passes"),
    [
        ("text-classification", 1, 1),
        ("text-classification", "auto", 3),
        ("text-multi-label", 2, 2),
        ("text-regression", 2, 2),
    ],
)
def test_labels_are_passed_as_often_as_was_asked_and_measured_each_time(
    client: OpenAI, task: str, epochs: Any, passes: int
) -> None:
    rows = labelled(task, 16)
    job = create(
        client,
        upload(client, rows[:24]),
        validation_file=upload(client, rows[24:]),
        model="bert",
        hyperparameters={"n_epochs": epochs, "batch_size": 8},
        tunewright={"task": task, "settings": SETTINGS},
    )
    done = wait_for(client, job.id, "succeeded")
    assert done.hyperparameters.n_epochs == passes
    told = metrics(client, job.id)
    assert [each["step"] for each in told] == list(range(1, 3 * passes + 1))
    assert {each["total_steps"] for each in told} == {3 * passes}
    measured = [each["step"] for each in told if each["full_valid_loss"] is not None]
    assert measured == list(range(3, 3 * passes + 1, 3))
    kept = client.fine_tuning.jobs.checkpoints.list(job.id).data
    assert [each.step_number for each in kept] == measured[::-1]
    for each in kept:
        step = told[each.step_number - 1]
        assert each.metrics.train_loss == step["train_loss"]
        assert each.metrics.full_valid_loss == step["full_valid_loss"]


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        ([], "full"),
        (["train.strategy=staged"], "staged"),
        (["train.strategy=probe"], "probe"),
        (["train.strategy=auto"], "auto"),
        (["adapt.method=head"], "head"),
        (["adapt.method=lora"], "full"),
        (["adapt.layers=top-1"], "full"),
    ],
)
def test_the_settings_of_a_job_may_ask_for_another_strategy(
    tiny_bert: Path, tmp_path: Path, settings: list[str], strategy: str
) -> None:
    numbers = {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 0.5}
    job = {
        "id": "ftjob-a",
        "seed": 1,
        "method": {"type": "supervised", "supervised": {"hyperparameters": numbers}},
        "extension": {"task": "text-classification", "settings": settings},
    }
    asked = [recipe_of(job, str(tiny_bert), tmp_path, has_validation=False)]
    numbers["learning_rate_multiplier"] = 1.0
    asked.append(recipe_of(job, str(tiny_bert), tmp_path, has_validation=False))
    assert [each.train.strategy for each in asked] == [strategy] * 2
    assert [each.train.epochs for each in asked] == [2, 2]
    assert asked[0].train.learning_rate > 0
    assert asked[1].train.learning_rate == "auto"


def test_staged_is_told_with_the_steps_of_all_its_phases(client: OpenAI) -> None:
    settings = {**SETTINGS, "train.strategy": "staged"}
    job = create(
        client,
        upload(client, labelled("text-classification", 12)),
        model="bert",
        hyperparameters={"n_epochs": 1, "batch_size": 8},
        tunewright={"task": "text-classification", "settings": settings},
    )
    done = wait_for(client, job.id, "succeeded")
    assert done.hyperparameters.n_epochs == 1
    assert {each["total_steps"] for each in metrics(client, job.id)} == {6}
    assert [each["step"] for each in metrics(client, job.id)] == [1, 2, 3, 4, 5, 6]


def test_labels_are_learned_by_the_extension(client: OpenAI) -> None:
    rows = [
        {"text": f"{text} {number}", "label": label}
        for number in range(12)
        for text, label in (("the parcel is late", "delivery"), ("a refund please", "refund"))
    ]
    asked = {"task": "text-classification", "settings": {**SETTINGS, "train.max_length": 32}}
    job = create(client, upload(client, rows), model="bert", tunewright=asked)
    done = wait_for(client, job.id, "succeeded")
    answer = client.chat.completions.create(
        model=done.fine_tuned_model, messages=[{"role": "user", "content": "the parcel is late 3"}]
    )
    assert answer.choices[0].message.content in ("delivery", "refund")
    one_class = [{**row, "label": "refund"} for row in rows]
    job = create(client, upload(client, one_class), model="bert", tunewright=asked)
    failed = wait_for(client, job.id, "failed")
    assert (failed.error.code, failed.error.param) == ("invalid_training_file", "training_file")
    assert "there is one class" in failed.error.message
    assert str(runs_folder()) not in failed.error.message


def test_a_file_that_goes_before_its_job_begins_fails_it(tmp_path: Path, model: Path) -> None:
    settings = settings_in(tmp_path, models=(f"tiny={model}",))
    with served(settings) as client:
        file = upload(client, ten_chats())
        job = create(client, file)
        client.files.delete(file)
        with working(settings):
            failed = wait_for(client, job.id, "failed")
    assert (failed.error.code, failed.error.param) == ("file_not_found", "training_file")
