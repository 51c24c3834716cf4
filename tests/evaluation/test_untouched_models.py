"""Baselines that learn nothing: a model that is shown examples, and one that knows the labels' words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plain_rows import plain_rows
from tiny_chats import chats, write_chat_model
from tunewright import few_shot, zero_shot
from tunewright.backends.folder import read_config
from tunewright.backends.session import reader_for
from tunewright.evaluation.metrics import all_metrics
from tunewright.recipe.schema import Recipe


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("shown") / "llama")


def recipe(**changes: Any) -> Recipe:
    found = Recipe(task="text-generation").model_dump()
    found["evaluate"] |= {"answers": 4, "most_tokens": 8}
    for key, value in changes.items():
        section, name = key.split("__")
        found[section][name] = value
    return Recipe.model_validate(found)


def texts(count: int) -> list[str]:
    return [json.dumps(row) for row in chats(count)]


def shots(writer: Path, **changes: Any) -> few_shot.Shots | str:
    return few_shot.shots(plain_rows(texts(30)), writer, recipe(**changes))


def test_the_same_tokens_are_judged_with_examples_and_without(writer: Path) -> None:
    found = shots(writer)
    assert isinstance(found, few_shot.Shots)
    reader = reader_for(writer, read_config(writer), "chat")
    asked = texts(35)[30:]
    alone, shown = (reader.marked(each) for each in (asked, found.before(asked)))  # type: ignore[attr-defined]
    for (one,), (other,) in zip(alone, shown, strict=True):
        assert len(other.ids) > len(one.ids)
        assert other.ids[other.learned].tolist() == one.ids[one.learned].tolist()
        assert other.ids[-len(one.ids) :].tolist() == one.ids.tolist()


def test_examples_are_training_rows_drawn_by_the_seed(writer: Path) -> None:
    first, again = shots(writer), shots(writer)
    assert isinstance(first, few_shot.Shots)
    assert isinstance(again, few_shot.Shots)
    assert first.examples == again.examples
    assert len(first.examples) == few_shot.MOST
    assert all(turns in [row["messages"] for row in chats(30)] for turns in first.examples)
    changed = few_shot.shots(plain_rows(texts(30)), writer, recipe().model_copy(update={"seed": 3}))
    assert isinstance(changed, few_shot.Shots)
    assert changed.examples != first.examples


def test_a_row_gets_as_many_examples_as_fit_before_it(writer: Path) -> None:
    found = shots(writer)
    assert isinstance(found, few_shot.Shots)
    asked = texts(1)
    length = int(found.reader.whole_lengths(asked, None)[0])
    turns = []
    for count in range(few_shot.MOST + 1):
        room = length + sum(found.lengths[:count])
        shown = json.loads(replace(found, room=room).before(asked)[0])["messages"]
        turns.append(len(shown))
    assert turns == [1 + 1 + 2 * count for count in range(few_shot.MOST + 1)]


def test_what_the_system_says_stays_first() -> None:
    row = {"messages": [{"role": "system", "content": "be kind"}, *chats(1)[0]["messages"]]}
    shown = json.loads(few_shot.with_examples(json.dumps(row), [chats(2)[1]["messages"]]))
    roles = [each["role"] for each in shown["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"evaluate__answers": 0}, "no answers are asked for"),
        ({"data__learn": "all"}, "judged too"),
        ({"data__too_long": "cut"}, "would not be the same"),
    ],
)
def test_it_is_left_out_with_a_reason(writer: Path, changes: dict[str, Any], why: str) -> None:
    assert why in str(shots(writer, **changes))


def test_plain_texts_have_no_examples(writer: Path) -> None:
    found = few_shot.shots(plain_rows(['{"text":"a text"}']), writer, recipe())
    assert "question and its answer" in str(found)


def test_a_text_has_the_label_whose_name_it_is_nearest_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {"lost card": [1, 0], "late parcel": [0, 1], "my card is gone": [0.9, 0.1]}
    known |= {"no parcel yet": [0.2, 0.7]}

    def vectors(folder: Path, texts: list[str], **_: Any) -> np.ndarray:
        return np.array([known[text] for text in texts], dtype=np.float32)

    monkeypatch.setattr(zero_shot, "mean_vectors", vectors)
    asked = zero_shot.zero_shot(("lost_card", "late-parcel"), tmp_path, Recipe())
    answers = asked.answers(plain_rows(["my card is gone", "no parcel yet"]))
    assert all_metrics(answers, np.array([0, 1]))["accuracy"] == 1
    assert answers.sum(axis=1) == pytest.approx(1)
