"""`/v1/completions` by the official client."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import openai
import pytest

from answering import Server, answering
from tiny_chats import write_chat_model
from tunewright.backends.torch.writer import TorchWriter

MODEL = "ft:tiny:local::abcdefgh"
PROMPTS = ["the parcel is late", "a refund of", "where"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with answering(tmp_path_factory.mktemp("server")) as server:
        server.add(MODEL, folder)
        yield server


@cache
def writer(folder: Path) -> TorchWriter:
    return TorchWriter(folder)


def right(folder: Path, prompt: str, most: int = 16) -> str:
    ((_, answer, _),) = writer(folder).write([prompt], most_tokens=most)
    return answer


def complete(server: Server, prompt: Any, **more: Any) -> Any:
    return server.client.completions.create(model=MODEL, prompt=prompt, **{"temperature": 0} | more)


def test_each_prompt_has_its_answer(server: Server, folder: Path) -> None:
    answer = complete(server, PROMPTS, n=2)
    assert [choice.index for choice in answer.choices] == list(range(6))
    assert [choice.text for choice in answer.choices] == [
        right(folder, prompt) for prompt in PROMPTS for _ in range(2)
    ]
    ids = [
        writer(folder).tokenizer(each, add_special_tokens=False)["input_ids"] for each in PROMPTS
    ]
    assert answer.usage.prompt_tokens == sum(map(len, ids))
    for given in (ids, ids[0]):
        told = complete(server, given).choices
        assert told[0].text == right(folder, PROMPTS[0])


def test_a_stream_says_the_same(server: Server, folder: Path) -> None:
    chunks = list(
        complete(server, PROMPTS, stream=True, stream_options={"include_usage": True}, echo=True)
    )
    for index, prompt in enumerate(PROMPTS):
        said = "".join(
            c.choices[0].text for c in chunks if c.choices and c.choices[0].index == index
        )
        assert said == prompt + right(folder, prompt)
    assert chunks[-1].usage.completion_tokens > 0


def test_likelihoods_come_with_their_places(server: Server) -> None:
    (choice,) = complete(server, PROMPTS[0], logprobs=2).choices
    told = choice.logprobs
    assert "".join(told.tokens) == choice.text
    assert [
        choice.text[at:][: len(t)] for at, t in zip(told.text_offset, told.tokens, strict=True)
    ] == told.tokens
    assert all(len(each) <= 2 for each in told.top_logprobs)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [99_999]}, "prompt"),
        ({"prompt": ["a", [1]]}, "prompt"),
        ({"extra_body": {"surprise": 1}}, "surprise"),
    ],
)
def test_what_cannot_be_granted_is_refused_by_name(
    server: Server, wrong: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        complete(server, **{"prompt": "a"} | wrong)
    assert error.value.param == param
