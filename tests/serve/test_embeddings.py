"""`/v1/embeddings`, and labels asked for as chat completions, by the official client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from answering import Server, answering
from tunewright.backends import mean_vectors
from tunewright.inference import answer

ENCODER, LABELLER = "tiny-encoder", "ft:tiny:local:labels:abcdefgh"
TEXTS = ["the parcel is late", "refund", "where is my invoice, please?"]


@pytest.fixture(scope="module")
def labeller(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labeller")
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_bert, id2label={0: "late", 1: "lost"}, label2id={"late": 0, "lost": 1}
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(
    tiny_bert: Path, labeller: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with answering(tmp_path_factory.mktemp("server")) as server:
        server.add(ENCODER, tiny_bert)
        server.add(LABELLER, labeller, "text-classification")
        yield server


def embed(server: Server, given: Any, **more: Any) -> Any:
    return server.client.embeddings.create(input=given, **{"model": ENCODER} | more)


def test_vectors_are_those_of_the_model_at_length_one(server: Server, tiny_bert: Path) -> None:
    right = mean_vectors(tiny_bert, TEXTS)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    found = embed(server, TEXTS)
    assert [each.index for each in found.data] == [0, 1, 2]
    np.testing.assert_allclose([each.embedding for each in found.data], right, atol=1e-5)
    alone = embed(server, TEXTS[1])
    np.testing.assert_allclose(alone.data[0].embedding, right[1], atol=1e-5)
    floats = embed(server, TEXTS, encoding_format="float")
    assert [each.embedding for each in floats.data] == [each.embedding for each in found.data]
    assert found.usage.prompt_tokens == found.usage.total_tokens > 0


def test_tokens_stand_for_their_text(server: Server, tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    texts, tokens, one = embed(server, TEXTS), embed(server, ids), embed(server, ids[0])
    assert [each.embedding for each in tokens.data] == [each.embedding for each in texts.data]
    np.testing.assert_allclose(one.data[0].embedding, texts.data[0].embedding, atol=1e-6)


def test_a_run_of_labels_gives_vectors_too(server: Server, labeller: Path) -> None:
    found = np.array(embed(server, TEXTS, model=LABELLER).data[0].embedding)
    right = mean_vectors(labeller, TEXTS[:1])[0]
    np.testing.assert_allclose(found, right / np.linalg.norm(right), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "more", "param"),
    [
        ("a", {"dimensions": 7}, "dimensions"),
        ([], {}, "input"),
        ([""] * 2049, {}, "input"),
        ([99_999], {}, "input"),
        ("late " * 900, {}, "input"),
        ("a", {"extra_body": {"surprise": 1}}, "surprise"),
    ],
)
def test_what_cannot_be_granted_is_refused_by_name(
    server: Server, given: Any, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        embed(server, given, **more)
    assert error.value.param == param


def test_the_whole_width_is_granted(server: Server) -> None:
    assert len(embed(server, "a", dimensions=32).data[0].embedding) == 32


def label(server: Server, **more: Any) -> Any:
    asked: list[Any] = [{"role": "user", "content": TEXTS[0]}]
    return server.client.chat.completions.create(
        **{"model": LABELLER, "messages": asked, "temperature": 0} | more
    )


def test_a_label_is_the_answer_to_a_text(server: Server, labeller: Path) -> None:
    (right,) = answer(labeller, TEXTS[:1])
    found = label(server)
    assert found.choices[0].message.content == right["label"]
    assert found.model_extra["tunewright"] == right
    said = [c.choices[0].delta.content for c in label(server, stream=True) if c.choices]
    assert said[0] == right["label"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"temperature": 1}, "temperature"),
        ({"n": 2}, "n"),
        ({"stop": "a"}, "stop"),
        (
            {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]},
            "messages",
        ),
        ({"model": ENCODER}, "model"),
    ],
)
def test_what_a_labeller_cannot_do_is_refused(
    server: Server, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        label(server, **more)
    assert error.value.param == param
