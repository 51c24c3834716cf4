"""Statements 54 to 58 and the responses of 60: models, and what they answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from named_server import Server
from openai import OpenAI
from transformers import AutoTokenizer
from watching import Watch

ASKED: list[Any] = [{"role": "user", "content": "where is the parcel?"}]


def chat(client: OpenAI, model: str, **more: Any) -> Any:
    asked = {"model": model, "messages": ASKED, "max_completion_tokens": 16, "temperature": 0}
    return client.chat.completions.create(**asked | more)


@pytest.mark.slow
def test_54_names_with_a_slash_are_found_both_ways(
    client: OpenAI, model: str, done: Any, raw: Callable[..., httpx.Response]
) -> None:
    listed = [each.id for each in client.models.list()]
    for name in (model, done.fine_tuned_model):
        assert name in listed
        assert client.models.retrieve(name).id == name
        for written in (name, name.replace("/", "%2F")):
            assert raw("GET", f"models/{written}").json()["id"] == name


@pytest.mark.slow
def test_56_a_deleted_model_is_gone_and_its_job_stays(client: OpenAI, pair: list[Any]) -> None:
    job = pair[1]
    name = job.fine_tuned_model
    assert client.models.delete(name).deleted
    for call in (
        lambda: client.models.retrieve(name),
        lambda: client.chat.completions.create(model=name, messages=ASKED),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            call()
        assert error.value.code == "model_not_found"
    assert client.fine_tuning.jobs.retrieve(job.id).status == "succeeded"
    assert client.files.retrieve(job.training_file).id == job.training_file


def test_57_a_stream_ends_in_done_and_its_usage_is_that_of_the_whole(
    client: OpenAI, model: str, raw: Callable[..., httpx.Response], watch: Watch
) -> None:
    whole = chat(client, model)
    body = {"model": model, "messages": ASKED, "max_completion_tokens": 16, "temperature": 0}
    answer = raw(
        "POST",
        "chat/completions",
        json=body | {"stream": True, "stream_options": {"include_usage": True}},
    )
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    watch.look(answer)
    said = [c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]]
    assert "".join(said) == whole.choices[0].message.content
    assert chunks[-1]["usage"]["completion_tokens"] == whole.usage.completion_tokens
    assert chunks[-1]["usage"]["prompt_tokens"] == whole.usage.prompt_tokens > 0


def test_57_the_chunks_of_a_client_make_up_the_whole(client: OpenAI, model: str) -> None:
    whole = chat(client, model)
    chunks = list(chat(client, model, stream=True, stream_options={"include_usage": True}))
    said = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(said) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_57_usage_agrees_with_the_tokenizer(client: OpenAI, server: Server) -> None:
    if server.tokenizer is None:
        pytest.skip("TUNEWRIGHT_CONFORMANCE_TOKENIZER names no folder")
    tokenizer = AutoTokenizer.from_pretrained(server.tokenizer)
    text = tokenizer.apply_chat_template(ASKED, tokenize=False, add_generation_prompt=True)
    read = tokenizer(text, add_special_tokens=False)["input_ids"]
    usage = chat(client, server.model, logprobs=True).usage
    assert usage.prompt_tokens == len(read)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_57_seed_n_stop_and_likelihoods_work(client: OpenAI, model: str) -> None:
    one, two = (chat(client, model, temperature=1, seed=5, n=2, logprobs=True) for _ in range(2))
    assert [c.message.content for c in one.choices] == [c.message.content for c in two.choices]
    said = one.choices[0].message.content
    assert len(one.choices[0].logprobs.content) > 0
    if len(said) > 4:
        cut = chat(client, model, temperature=1, seed=5, n=2, stop=said[2:4])
        assert cut.choices[0].message.content == said[: said.index(said[2:4])]


def test_57_tools_and_schemas_work_or_are_refused(client: OpenAI, model: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    form = {"name": "a", "schema": schema | {"additionalProperties": False}, "strict": True}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    for more, is_good in (
        (
            {"response_format": {"type": "json_schema", "json_schema": form}},
            lambda said: isinstance(json.loads(said.content)["a"], bool),
        ),
        ({"tools": [tool]}, lambda said: said.content is not None or said.tool_calls),
    ):
        refused: Any = None
        try:
            answer = chat(client, model, max_completion_tokens=40, **more)
        except openai.BadRequestError as error:
            refused = error
        assert refused.param if refused is not None else is_good(answer.choices[0].message)


def test_57_plain_completions_go_on_after_a_prompt(client: OpenAI, model: str) -> None:
    for prompt in ("the parcel", ["the parcel", "a refund"]):
        answer = client.completions.create(
            model=model, prompt=prompt, max_tokens=4, logprobs=1, temperature=0
        )
        assert len(answer.choices) == (1 if isinstance(prompt, str) else 2)


def test_57_stored_completions_are_listed_and_forgotten(client: OpenAI, model: str) -> None:
    made = chat(client, model, store=True, metadata={"what": "conformance"})
    stored = client.chat.completions
    assert made.id in [each.id for each in stored.list(metadata={"what": "conformance"})]
    assert stored.retrieve(made.id).id == made.id
    assert [each.content for each in stored.messages.list(made.id)] == [ASKED[0]["content"]]
    assert stored.delete(made.id).deleted


def test_58_vectors_are_the_same_in_both_encodings(client: OpenAI, encoder: str) -> None:
    def embed(given: Any, **more: Any) -> Any:
        made = client.embeddings.create(model=encoder, input=given, **more)
        return np.array([each.embedding for each in made.data])

    texts = ["the parcel is late", "a refund"]
    found = embed(texts)
    assert (found == embed(texts, encoding_format="float")).all()
    assert embed([[5, 6, 7], [8]]).shape == found.shape
    assert embed(texts[0], dimensions=found.shape[1]).shape == (1, found.shape[1])
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        embed(texts, dimensions=3)


def test_60_a_response_is_made_kept_and_forgotten(client: OpenAI, model: str) -> None:
    made = client.responses.create(model=model, input="where is it?", max_output_tokens=16)
    assert client.responses.retrieve(made.id).output_text == made.output_text
    events = list(
        client.responses.create(
            model=model,
            input="and now?",
            previous_response_id=made.id,
            max_output_tokens=16,
            stream=True,
        )
    )
    assert events[-1].type in ("response.completed", "response.incomplete")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
