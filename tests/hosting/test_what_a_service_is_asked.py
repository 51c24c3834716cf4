"""What a recipe may ask of a service, what it costs, and what stops a run before it sends anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunewright
from openai_service import Quirk, StandIn
from tiny_chats import chats, write_lines
from tunewright.durable import read_lines
from tunewright.errors import TunewrightError
from tunewright.history.folder import run_folders
from tunewright.recipe.load import build_recipe
from tunewright.repeating import repeat

At = Callable[..., dict[str, Any]]
Cli = Callable[..., Any]
REFUSED: dict[str, dict[str, Any]] = {
    "adapt.method is lora": {"adapt": {"method": "lora"}},
    "train.learning_rate is 0.1": {"train": {"learning_rate": 0.1}},
    "train.strategy is full": {"train": {"strategy": "full"}},
    "train.preference is ipo": {"train": {"preference": "ipo"}},
    "augment.methods is": {"augment": {"methods": ["swap"]}},
    "evaluate.forgetting is on": {"evaluate": {"forgetting": "on"}},
    "model is auto": {"model": "auto"},
    "revision is abc": {"revision": "abc"},
    "data.learn is all": {"data": {"learn": "all"}},
    "data.chat_template is given": {"data": {"chat_template": "plain"}},
    "evaluate.metric is loss": {"evaluate": {"metric": "loss"}},
    "evaluate.metric is json_equal, of which": {"evaluate": {"metric": "json_equal"}},
    "evaluate.answers is 0": {"evaluate": {"answers": 0}},
    "train.beta is given": {"train": {"beta": 0.5}},
    "service.instruction is given": {"service": {"instruction": "Which?"}},
    "which a service does not train": {"task": "text-regression"},
    "NO_SUCH_KEY, which holds the key": {"service": {"key": "NO_SUCH_KEY"}},
    "is not encrypted": {"service": {"base_url": "http://example.org/v1"}},
}


def without_data(keys: dict[str, Any], data: Path) -> dict[str, Any]:
    return {**keys, "data": {"train": str(data), **keys.get("data", {})}}


@pytest.mark.parametrize("told", REFUSED)
def test_what_a_service_cannot_do_is_refused_before_anything_is_sent(
    told: str, service: StandIn, conversations: Path, tickets: Path, at: At
) -> None:
    data = conversations
    if "text-regression" in str(REFUSED[told]):
        data = conversations.with_name("numbers.csv")
        lines = [f"a text of number {n} with words,{n / 7}" for n in range(60)]
        data.write_text("\n".join(["text,label", *lines]) + "\n")
    with pytest.raises(TunewrightError, match=told):
        tunewright.run(**without_data(at(**REFUSED[told]), data))
    assert service.count("POST .*") == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"service": {"suffix": "a"}}, "is for backend openai"),
        ({"backend": "openai", "service": {"key": "sk-abc"}}, "key"),
        ({"backend": "openai", "service": {"preset": "azure"}}, "has no address of its own"),
        ({"backend": "openai", "service": {"base_url": "example.org"}}, "begin with https"),
    ],
)
def test_a_service_that_cannot_be_is_no_recipe(content: dict[str, Any], told: str) -> None:
    with pytest.raises(TunewrightError, match=told):
        build_recipe(content)


@pytest.mark.parametrize(
    ("keys", "settings"),
    [
        ({"service": {"key": "sk-123456789abcdef"}}, []),
        ({"service": {"key": {"is": "sk-123456789abcdef"}}}, []),
        ({"service": "sk-123456789abcdef"}, []),
        ({}, ["service.key=sk-123456789abcdef"]),
        ({}, ["service=sk-123456789abcdef"]),
        ({}, ["service.key sk-123456789abcdef"]),
    ],
    ids=str,
)
def test_a_key_in_the_place_of_its_name_is_not_shown(
    keys: dict[str, Any], settings: list[str]
) -> None:
    with pytest.raises(TunewrightError) as refused:
        build_recipe({"backend": "openai", **keys}, settings)
    assert "sk-1" not in f"{refused.value.what} {refused.value.fix}"
    assert "service" in refused.value.what


def test_a_key_that_looks_like_a_name_is_not_shown(
    service: StandIn, conversations: Path, at: At
) -> None:
    key = "AB12CD34EF56GH78IJ90KL12"
    with pytest.raises(TunewrightError, match="variable …, which holds the key") as refused:
        tunewright.run(conversations, **at(service={"key": key}))
    assert key not in f"{refused.value.what} {refused.value.fix}"
    assert run_folders() == []


def test_a_server_that_wants_a_key_says_how_to_name_one(
    service: StandIn, conversations: Path, at: At
) -> None:
    with pytest.raises(
        TunewrightError, match="wants a key, and service\\.key names no variable"
    ) as e:
        tunewright.run(conversations, **at(service={"key": None}))
    assert "service.key: MY_KEY" in e.value.fix


def test_an_address_without_its_end_is_mended(
    service: StandIn, conversations: Path, at: At
) -> None:
    service.quirks.append(Quirk("POST /files", status=404, error={"message": "Invalid URL"}))
    bare = service.url.removesuffix("/v1")
    with pytest.raises(TunewrightError, match="Invalid URL") as refused:
        tunewright.run(conversations, **at(service={"base_url": bare}))
    assert refused.value.fix == f"end service.base_url in /v1: {bare}/v1"


def test_too_few_rows_are_refused_before_anything_is_sent(
    service: StandIn, tmp_path: Path, at: At
) -> None:
    data = write_lines(tmp_path / "few.jsonl", chats(20))
    split = {"split": {"validation": 0.4, "test": 0.4}}
    with pytest.raises(TunewrightError, match="a service wants 10 or more"):
        tunewright.run(**without_data(at(data=split), data))
    assert service.count("POST .*") == 0


def test_a_row_that_is_too_long_is_named(service: StandIn, tmp_path: Path, at: At) -> None:
    rows = chats(60)
    for row in rows:
        row["messages"][0]["content"] += " and so on" * 30_000
    data = write_lines(tmp_path / "long.jsonl", rows)
    with pytest.raises(TunewrightError, match=r"line \d+ .*has about .* tokens"):
        tunewright.run(data, **at())
    assert service.count("POST .*") == 0


def test_the_cost_is_told_and_stops_the_run_above_the_limit(
    service: StandIn, conversations: Path, at: At
) -> None:
    prices = {"training_price": 1000.0, "input_price": 0.0, "output_price": 0.0}
    with pytest.raises(TunewrightError, match="would cost about") as refused:
        tunewright.run(conversations, **at(service={**prices, "spend_limit": 0.5}))
    assert "spend_limit" in refused.value.fix
    assert service.count("POST .*") == 0
    done = tunewright.run(conversations, **at(service={**prices, "spend_limit": 50}))
    (cost,) = [e for e in read_lines(done.folder / "events.jsonl") if e["event"] == "cost"]
    size = sum(len(c) for c in service.store.contents.values() if c.startswith(b'{"messages'))
    assert cost["trained_tokens"] < size
    assert cost["dollars"] == pytest.approx(cost["trained_tokens"] / 1000)


def test_the_cost_can_be_asked_for_alone(service: StandIn, conversations: Path, at: At) -> None:
    ended = tunewright.run(conversations, until="adapt", **at())
    kinds = [each["event"] for each in read_lines(ended.folder / "events.jsonl")]
    assert "cost" in kinds
    assert service.count("POST .*") == 0
    done = tunewright.run(resume=ended.folder)
    assert done.result["verdict"]


def test_a_price_that_nobody_knows_stops_the_run(
    service: StandIn, conversations: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.backends.openai.prices.is_here", lambda address: False)
    with pytest.raises(TunewrightError, match="nobody says what tiny-model-1 costs"):
        tunewright.run(conversations, **at())
    assert service.count("POST .*") == 0
    assert tunewright.run(conversations, **at(service={"spend_limit": None})).result["verdict"]


def test_what_is_asked_for_is_sent(service: StandIn, conversations: Path, at: At) -> None:
    more = {"suffix": "mine", "learning_rate_multiplier": 0.5, "parallel": 1}
    done = tunewright.run(
        conversations,
        **at(train={"batch_size": 4, "epochs": 3}, data={"learn": "last"}, service=more),
    )
    (body,) = service.created
    numbers = {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 0.5}
    assert body["method"]["supervised"]["hyperparameters"] == numbers
    assert body["suffix"] == "mine"
    assert ":mine:" in done.result["model"]["name"]


def test_a_service_with_the_old_form_gets_it(service: StandIn, conversations: Path, at: At) -> None:
    tunewright.run(conversations, **at(train={"epochs": 1}, service={"preset": "nebius"}))
    (body,) = service.created
    assert body["hyperparameters"] == {"n_epochs": 1}
    assert "method" not in body


def test_our_own_server_takes_every_key_of_training(
    service: StandIn, conversations: Path, at: At
) -> None:
    adapt, train = {"method": "full"}, {"precision": "fp32", "epochs": 1}
    tunewright.run(conversations, **at(adapt=adapt, train=train, service={"preset": "tunewright"}))
    (body,) = service.created
    settings = {"adapt.method": "full", "train.precision": "fp32"}
    assert body["tunewright"] == {"settings": settings}
    asked = at(augment={"methods": ["swap"]}, service={"preset": "tunewright"})
    with pytest.raises(TunewrightError, match=r"augment\.methods is"):
        tunewright.run(conversations, **asked)


def test_models_may_be_asked_by_other_names(service: StandIn, conversations: Path, at: At) -> None:
    service.store.models["my-deployment"] = "file-000001"
    names = {"tuned_as": "my-deployment", "base_as": "my-base"}
    tunewright.run(conversations, **at(service=names))
    assert {body["model"] for body in service.asked} == {"my-deployment", "my-base"}


def test_an_instruction_stands_before_each_text(service: StandIn, tickets: Path, at: At) -> None:
    said = "Which queue?"
    tunewright.run(tickets, **at(evaluate={"answers": "auto"}, service={"instruction": said}))
    assert {body["messages"][0]["content"] for body in service.asked[2:]} == {said}


def test_what_needs_a_model_here_is_refused_of_a_service(
    service: StandIn, conversations: Path, at: At
) -> None:
    with pytest.raises(TunewrightError, match="a service trains"):
        tunewright.plan(conversations, **at())
    with pytest.raises(TunewrightError, match="would be paid for each"):
        repeat(conversations, seeds=2, **at())
    assert service.count("POST .*") == 0


def test_a_run_that_is_refused_leaves_nothing(
    service: StandIn, conversations: Path, at: At
) -> None:
    with pytest.raises(TunewrightError):
        tunewright.run(conversations, **at(adapt={"method": "lora"}))
    assert run_folders() == []
