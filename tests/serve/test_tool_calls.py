"""Calls of tools: told to the model by its template, and found in what it writes in that form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from transformers import AutoTokenizer

from answering import Server, answering
from tiny_chats import write_chat_model
from tunewright.backends.call_form import CallForm, call_form, shows_tools
from tunewright.backends.chat_template import PLAIN, ChatTemplate, set_template
from tunewright.serve.engine.being_written import BeingWritten
from tunewright.serve.engine.call_stream import CallStream

TAGGED = (
    "{% if tools %}{{ 'Tools: ' + (tools | tojson) + '\\n' }}{% endif %}{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + (m['content'] or '') }}"
    "{% for c in m['tool_calls'] or [] %}{{ '<tool_call>\\n' + (c['function'] | tojson) + "
    "'\\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
BARE = TAGGED.replace("'<tool_call>\\n' + ", "").replace(" + '\\n</tool_call>'", "")
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
CALL = {"name": "weather", "arguments": {"city": "Oslo {north}"}}
MODEL = "ft:tiny:local:tools:abcdefgh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


def template(folder: Path, text: str | None) -> ChatTemplate:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if text == PLAIN:
        set_template(tokenizer, PLAIN)
    elif text is not None:
        tokenizer.chat_template = text
    return ChatTemplate(tokenizer)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (TAGGED, CallForm("<tool_call>\n", "\n</tool_call>")),
        (BARE, CallForm("", "")),
        (PLAIN, CallForm(" Call: ", "")),
    ],
)
def test_the_form_of_calls_is_that_of_the_template(folder: Path, text: str, form: CallForm) -> None:
    found = template(folder, text)
    assert shows_tools(found)
    assert call_form(found) == form


def test_a_template_without_tools_says_so(folder: Path) -> None:
    assert not shows_tools(template(folder, None))


FORMS = (CallForm("<tool_call>", "</tool_call>"), CallForm("Call:", ""), CallForm("", ""), None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("times", [1, 2])
def test_calls_are_found_however_the_text_is_cut(form: CallForm | None, times: int) -> None:
    begin, end = (form.begin, form.end) if form is not None else ("<tool_call>", "</tool_call>")
    one = f"{begin} {json.dumps(CALL)} {end}"
    said = "Let me see. " if begin else ""
    text = said + "\n".join([one] * times) if begin else json.dumps([CALL] * times)
    if form == CallForm("", ""):
        form = None if times == 2 else form
    for cut in range(len(text)):
        stream = CallStream(form)
        told = stream.take(text[:cut]) + stream.take(text[cut:])
        rest, calls = stream.end()
        assert (told + rest).strip() in (said.strip(), "")
        assert calls == [CALL] * times


def test_what_only_looks_like_a_call_is_text() -> None:
    for text in ("<tool_call>{oops</tool_call>", "a <tool_ b", '{"name": 3}', '{"a": 1}', "x < y"):
        for form in FORMS[:3]:
            stream = CallStream(form)
            told = "".join(stream.take(letter) for letter in text)
            rest, calls = stream.end()
            assert (told + rest, calls) == (text, [])


@pytest.fixture
def server(folder: Path, tmp_path: Path) -> Iterator[Server]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TAGGED
    made = write_chat_model(tmp_path / "tools")
    tokenizer.save_pretrained(made)
    with answering(tmp_path) as server:
        server.add(MODEL, made)
        yield server


@pytest.fixture
def saying(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The tiny model says what a trained one would: its own choice of tokens is replaced."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = f"I look.\n<tool_call>\n{json.dumps(CALL)}\n</tool_call>"
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], 2]
    real = BeingWritten.next_draw

    def next_draw(self: BeingWritten) -> Any:
        from dataclasses import replace

        return replace(real(self), temperature=0.0, added={ids[len(self.written)]: 1e6})

    monkeypatch.setattr(BeingWritten, "next_draw", next_draw)


@pytest.mark.usefixtures("saying")
def test_a_call_is_told_as_one(server: Server) -> None:
    asked: list[Any] = [{"role": "user", "content": "how is it in Oslo?"}]
    chats = server.client.chat.completions
    answer = chats.create(model=MODEL, messages=asked, tools=TOOLS)
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "I look."
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == tuple(CALL.values())
    streamed = list(chats.create(model=MODEL, messages=asked, tools=TOOLS, stream=True))
    deltas = [chunk.choices[0].delta for chunk in streamed]
    assert "".join(delta.content or "" for delta in deltas) == "I look."
    (told,) = [call for delta in deltas for call in delta.tool_calls or []]
    assert told.function is not None
    assert (told.index, told.function.name) == (0, "weather")
    assert streamed[-1].choices[0].finish_reason == "tool_calls"
    asked += [
        choice.message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "content": "cold"},
    ]
    assert chats.create(model=MODEL, messages=asked, tools=TOOLS, n=2).choices[1].message.tool_calls


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_call_that_is_asked_for_is_made(server: Server, seed: int) -> None:
    asked: list[Any] = [{"role": "user", "content": "how is it in Oslo?"}]
    kind = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
    kind |= {"additionalProperties": False}
    tools: list[Any] = [
        {"type": "function", "function": {"name": name, "parameters": kind}} for name in "fg"
    ]
    named: Any = {"type": "function", "function": {"name": "g"}}
    for choice, names in (("required", "fg"), (named, "g")):
        answer = server.client.chat.completions.create(
            model=MODEL, messages=asked, tools=tools, tool_choice=choice, seed=seed, max_tokens=200
        )
        (call,) = answer.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert call.function.name in names
        assert json.loads(call.function.arguments)["n"] in (1, 2)
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.choices[0].message.content is None


def test_a_choice_of_no_tool_there_is_is_refused(server: Server) -> None:
    asked: list[Any] = [{"role": "user", "content": "how is it in Oslo?"}]
    named: Any = {"type": "function", "function": {"name": "other"}}
    form: Any = {"type": "json_object"}
    for wrong in ({"tool_choice": named}, {"tool_choice": "required", "response_format": form}):
        with pytest.raises(openai.BadRequestError) as error:
            server.client.chat.completions.create(model=MODEL, messages=asked, tools=TOOLS, **wrong)
        assert error.value.param == "tool_choice"
