"""`/v1/responses` by the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from answering import Server, answering
from tiny_chats import write_chat_model
from tunewright.backends.torch.writer import TorchWriter

MODEL = "ft:tiny:local::abcdefgh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with answering(tmp_path_factory.mktemp("server")) as server:
        server.add(MODEL, folder)
        yield server


def right(folder: Path, *turns: tuple[str, str]) -> str:
    writer = TorchWriter(folder)
    prompt = writer.prompt([{"role": role, "content": text} for role, text in turns])
    ((_, answer, _),) = writer.write([prompt], most_tokens=20)
    return answer


def respond(server: Server, given: Any, **more: Any) -> Any:
    asked = {"model": MODEL, "temperature": 0, "max_output_tokens": 20}
    return server.client.responses.create(input=given, **asked | more)


def test_a_response_goes_on_from_an_earlier_one(server: Server, folder: Path) -> None:
    first = respond(server, "where is it?", instructions="be short")
    said = right(folder, ("system", "be short"), ("user", "where is it?"))
    assert first.output_text == said
    assert first.status in ("completed", "incomplete")
    assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens
    second = respond(server, "and now?", previous_response_id=first.id)
    assert second.output_text == right(
        folder, ("user", "where is it?"), ("assistant", said), ("user", "and now?")
    )
    items = server.client.responses.input_items.list(second.id, order="asc")
    assert [item.content[0].text for item in items] == ["where is it?", said, "and now?"]


def test_a_stored_response_is_retrieved_and_forgotten(server: Server) -> None:
    made = respond(server, "hi", metadata={"who": "a"})
    assert server.client.responses.retrieve(made.id).output_text == made.output_text
    server.client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        server.client.responses.retrieve(made.id)
    unkept = respond(server, "hi", store=False)
    with pytest.raises(openai.NotFoundError):
        server.client.responses.retrieve(unkept.id)


def test_a_stream_tells_the_whole_in_events(server: Server) -> None:
    whole = respond(server, "hi there", include=["message.output_text.logprobs"])
    events = list(respond(server, "hi there", stream=True))
    assert [each.sequence_number for each in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(each.type for each in events))
    assert kinds[:5] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
    ]
    assert kinds[5:8] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    said = "".join(each.delta for each in events if each.type == "response.output_text.delta")
    assert said == whole.output_text == events[-1].response.output_text
    assert events[-1].type == f"response.{whole.status}"
    assert len(whole.output[0].content[0].logprobs) == whole.usage.output_tokens
    assert server.client.responses.retrieve(events[-1].response.id).output_text == said


def test_a_response_has_the_schema_that_is_asked_for(server: Server) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    schema |= {"additionalProperties": False}
    form: Any = {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}}
    made = respond(server, "hi", text=form, temperature=1, max_output_tokens=60)
    assert json.loads(made.output_text)["a"] in (1, 2)


def test_calls_and_their_outputs_are_items(server: Server) -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "how is it?"}]},
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "cold"},
    ]
    assert respond(server, items).status in ("completed", "incomplete")


def test_tokens_are_counted_as_they_are_read(server: Server) -> None:
    counted = server.client.responses.input_tokens.count(model=MODEL, input="where is it?")
    assert counted.input_tokens == respond(server, "where is it?").usage.input_tokens


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"given": [{"type": "item_reference", "id": "a"}]}, "input[0].type"),
        (
            {"given": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0]",
        ),
        ({"given": [{"role": "user", "content": "a", "mood": 1}]}, "input[0].mood"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"extra_body": {"surprise": 1}}, "surprise"),
    ],
)
def test_what_cannot_be_granted_is_refused_by_name(
    server: Server, wrong: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        respond(server, wrong.pop("given", "hi"), **wrong)
    assert error.value.param == param


def test_an_unknown_earlier_response_is_named(server: Server) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        respond(server, "hi", previous_response_id="resp_none")
    assert "resp_none" in error.value.message
    with pytest.raises(openai.BadRequestError):
        server.client.responses.cancel(respond(server, "hi").id)
