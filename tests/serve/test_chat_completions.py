"""`/v1/chat/completions` by the official client, against what the model says by itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from answering import Server, answering
from tiny_chats import write_chat_model
from tunewright.backends.torch.row_writer import RowWriter
from tunewright.backends.torch.writer import TorchWriter

MODEL = "ft:tiny:local::abcdefgh"
ASKED: list[Any] = [
    {"role": "system", "content": "be short"},
    {"role": "user", "content": "where is the parcel?"},
]


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


def right(folder: Path, most: int, messages: list[Any] = ASKED) -> str:
    prompt = writer(folder).prompt(messages)
    ((_, answer, _),) = writer(folder).write([prompt], most_tokens=most)
    return answer


def tokens(folder: Path, text: str) -> int:
    return len(writer(folder).tokenizer(text, add_special_tokens=False)["input_ids"])


def chat(server: Server, **more: Any) -> Any:
    asked = {"model": MODEL, "messages": ASKED, "temperature": 0, "max_tokens": 20}
    return server.client.chat.completions.create(**asked | more)


def test_the_answer_is_what_the_model_writes_by_itself(server: Server, folder: Path) -> None:
    answer = chat(server)
    (choice,) = answer.choices
    assert choice.message.content == right(folder, 20)
    assert choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens == tokens(folder, writer(folder).prompt(ASKED))
    assert answer.usage.completion_tokens <= 20
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.id.startswith("chatcmpl-")


def test_a_stream_says_the_same_in_pieces_and_ends(server: Server, folder: Path) -> None:
    stream = chat(server, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == right(folder, 20)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert sum(bool(c.choices and c.choices[0].finish_reason) for c in chunks) == 1
    assert [c.usage is not None for c in chunks] == [False] * (len(chunks) - 1) + [True]
    assert len({c.id for c in chunks}) == 1


def test_the_last_line_of_a_stream_is_done(server: Server) -> None:
    body = {"model": MODEL, "messages": ASKED, "stream": True, "max_tokens": 3}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=60)
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


def test_the_same_seed_gives_the_same_answers(server: Server) -> None:
    warm = {"temperature": 1.2, "top_p": 0.95, "n": 3, "seed": 7}
    one, two, other = (chat(server, **warm | {"seed": seed}) for seed in (7, 7, 8))
    texts = [[choice.message.content for choice in each.choices] for each in (one, two, other)]
    assert texts[0] == texts[1] != texts[2]
    assert len(set(texts[0])) == 3
    assert [choice.index for choice in one.choices] == [0, 1, 2]


def test_a_stop_text_ends_the_answer(server: Server, folder: Path) -> None:
    whole = right(folder, 20)
    answer = chat(server, stop=["never said", whole[5:8]])
    assert answer.choices[0].message.content == whole[: whole.index(whole[5:8])]
    assert answer.choices[0].finish_reason == "stop"


def test_likelihoods_are_told_for_each_token(server: Server) -> None:
    answer = chat(server, logprobs=True, top_logprobs=2)
    told = answer.choices[0].logprobs.content
    assert len(told) == answer.usage.completion_tokens
    letters = b"".join(bytes(each.bytes) for each in told)
    assert letters.decode(errors="replace") == answer.choices[0].message.content
    assert all(each.logprob <= 0 and len(each.top_logprobs) == 2 for each in told)
    streamed = [
        token
        for chunk in chat(server, logprobs=True, top_logprobs=2, stream=True)
        if chunk.choices and chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert [each.token for each in streamed] == [each.token for each in told]


def test_an_answer_has_the_schema_that_is_asked_for(server: Server) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["late", "lost"]}},
        "required": ["ok", "kind"],
        "additionalProperties": False,
    }
    asked = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    answer = chat(server, response_format=asked, max_tokens=60, temperature=1, seed=3)
    found = json.loads(answer.choices[0].message.content)
    assert isinstance(found["ok"], bool)
    assert found["kind"] in ("late", "lost")
    assert answer.choices[0].finish_reason == "stop"


def test_any_object_is_an_object(server: Server) -> None:
    answer = chat(
        server, response_format={"type": "json_object"}, max_tokens=200, temperature=1, seed=1
    )
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(answer.choices[0].message.content), dict)
    else:
        assert answer.choices[0].message.content.startswith("{")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"extra_body": {"surprise": 1}}, "surprise"),
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"prediction": {"type": "content", "content": "a"}}, "prediction"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stop": list("abcde")}, "stop"),
        ({"max_completion_tokens": 3}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "bot", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "a", "mood": 1}]}, "messages[0].mood"),
        ({"messages": [{"role": "user", "content": "hi " * 600}]}, "messages"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"logit_bias": {"70": 101}}, "logit_bias.70"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "nothing"}},
                }
            },
            "response_format.json_schema.schema",
        ),
    ],
)
def test_what_cannot_be_granted_is_refused_by_name(
    server: Server, wrong: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        chat(server, **wrong)
    assert error.value.param == param
    assert len(error.value.message) > 20


def test_an_unknown_model_is_named(server: Server) -> None:
    for name in ("gpt-4o", "../../etc", "/tmp"):
        with pytest.raises(openai.NotFoundError) as error:
            chat(server, model=name)
        assert error.value.code == "model_not_found"
        assert name in error.value.message


def test_the_server_answers_while_it_writes(server: Server) -> None:
    slowest, done = 0.0, threading.Event()

    def write() -> None:
        chat(server, n=16, max_tokens=300, temperature=1, seed=5)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        began = time.monotonic()
        assert httpx.get(f"{server.url}/health").status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    thread.join()
    assert slowest < 2


def test_whoever_goes_away_leaves_the_place_to_others(server: Server) -> None:
    stream = chat(server, stream=True, max_tokens=400, temperature=1, seed=5, n=8)
    next(iter(stream))
    stream.close()
    busy = server.app.state.engine._busy
    until = time.monotonic() + 10
    while busy() and time.monotonic() < until:
        time.sleep(0.05)
    assert not busy()


def test_a_model_that_fails_ends_its_texts_and_answers_again(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(RowWriter, "read", read)
    with pytest.raises(openai.InternalServerError) as error:
        chat(server, n=2)
    assert "memory" not in error.value.message
    with pytest.raises(openai.APIError):
        list(chat(server, stream=True))
    monkeypatch.undo()
    assert chat(server).choices[0].message.content == right(folder, 20)


def test_a_stored_completion_is_kept_changed_and_forgotten(server: Server) -> None:
    made = chat(server, store=True, metadata={"who": "a"})
    chats = server.client.chat.completions
    assert chats.retrieve(made.id).choices[0].message.content == made.choices[0].message.content
    assert [each.id for each in chats.list(metadata={"who": "a"})] == [made.id]
    assert list(chats.list(metadata={"who": "b"})) == []
    assert chats.update(made.id, metadata={"who": "b"}).metadata == {"who": "b"}
    assert [each.content for each in chats.messages.list(made.id)] == [
        "be short",
        ASKED[1]["content"],
    ]
    assert chats.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        chats.retrieve(made.id)
