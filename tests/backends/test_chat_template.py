"""A template is found or refused by name, sees a row as people wrote it, and leaves nothing out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_families import BY_NAME, CALLED, HELLO, HELP, JOKE, NO, TOOL, TURNS
from tiny_tokenizers import tiny_tokenizer

from tunewright.backends.chat_template import ChatTemplate, set_template
from tunewright.backends.conversation import Conversation, read_row
from tunewright.backends.learned import draw
from tunewright.errors import DataError, ModelError

EACH = "{% for message in messages %}"


def conversation(messages: list[dict[str, Any]], tools: Any = None) -> Conversation:
    row = read_row(json.dumps({"messages": messages, "tools": tools}))
    assert isinstance(row, Conversation)
    return row


def template(text: str, **tokens: Any) -> ChatTemplate:
    return ChatTemplate(tiny_tokenizer(template=text, **tokens))


def test_a_tokenizer_without_a_template_is_refused_with_both_ways_out() -> None:
    with pytest.raises(ModelError) as refused:
        ChatTemplate(tiny_tokenizer()).text(TURNS)
    assert str(refused.value) == (
        "the tokenizer has no chat template\nfix: set data.chat_template to a Jinja file, or to plain"
    )


def test_a_template_given_by_path_is_the_tokenizers_own_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text("{# é #}" + EACH + "{{ message['content'] }}\n{% endfor %}\n\n", "utf-8")
    tokenizer = tiny_tokenizer(template="another")
    set_template(tokenizer, str(file))
    tokenizer.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "chat_template.jinja").read_bytes() == file.read_bytes()


def test_a_template_that_is_not_there_or_no_jinja_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"data.chat_template cannot be read: .*none.jinja"):
        set_template(tiny_tokenizer(), str(tmp_path / "none.jinja"))
    with pytest.raises(ModelError, match="the chat template is no Jinja: "):
        template("{% for %}").text(TURNS)


def test_plain_writes_roles_in_words_and_ends_answers() -> None:
    made = BY_NAME["plain"].template()
    assert made.text([{"role": "system", "content": "Be brief."}, *TURNS[:2]]) == (
        "System: Be brief.\n\nUser: Hello there\n\nAssistant: Hi! How can I help?</s>\n\n"
    )
    assert made.text([HELLO], generation_prompt=True) == "User: Hello there\n\nAssistant:"


def test_plain_writes_tools_calls_and_their_answers() -> None:
    row = conversation(CALLED, [TOOL])
    assert BY_NAME["plain"].template().text(row.messages, row.tools) == (
        f"Tools: {json.dumps([TOOL])}\n\nUser: How is the weather in Oslo?\n\n"
        'Assistant: Call: {"name": "weather", "arguments": {"city": "Oslo"}}</s>\n\n'
        "Tool: 22\n\nAssistant: It is 22 degrees.</s>\n\n"
    )


def test_plain_begins_as_the_tokenizer_begins_a_text() -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer(bos="<s>", eos="</s>")
    set_template(tokenizer, "plain")
    assert ChatTemplate(tokenizer).text([HELLO]) == "User: Hello there\n\n"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    set_template(tokenizer, "plain")
    assert ChatTemplate(tokenizer).text([HELLO]) == "<s>User: Hello there\n\n"


def test_plain_needs_an_end_token() -> None:
    with pytest.raises(ModelError, match="has no end token, which the plain template needs"):
        set_template(tiny_tokenizer(eos=None), "plain")


@pytest.mark.parametrize(
    ("name", "messages", "said"),
    [
        ("gemma", [{"role": "system", "content": "Be brief."}, HELLO, HELP], "System role not"),
        ("mistral1", [HELLO, HELLO, HELP], "Conversation roles must alternate"),
        ("chatml", [HELLO, {"role": "assistant", "tool_calls": []}], "no attribute 'content'"),
    ],
)
def test_what_a_template_says_of_a_row_is_told(
    name: str, messages: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(DataError, match=f"the chat template refuses it: .*{said}") as refused:
        draw(BY_NAME[name].template(), conversation(messages), "assistant")
    assert "data.chat_template" in refused.value.fix


def test_a_template_that_prints_todays_date_prints_one_date_in_training() -> None:
    dated = template(
        "{{ strftime_now('%d %b %Y') }} " + EACH + "{{ message['content'] }}{% endfor %}"
    )
    assert dated.text([HELLO]) == "26 Jul 2024 " + HELLO["content"]


def test_a_template_sees_no_weight_and_no_empty_key() -> None:
    row = conversation([HELLO, {**HELP, "weight": 0, "name": None}])
    prints_all = template(EACH + "{{ message | tojson }}{% endfor %}")
    assert prints_all.text(row.messages) == json.dumps(HELLO) + json.dumps(HELP)


def test_a_template_sees_arguments_as_a_dict_and_parts_as_one_text() -> None:
    parts = [{"type": "text", "text": "Hello "}, {"type": "text", "text": "there"}]
    row = conversation([{"role": "user", "content": parts}, CALLED[1]])
    assert row.messages[0] == HELLO
    call = row.messages[1]["tool_calls"][0]["function"]
    assert call == {"name": "weather", "arguments": {"city": "Oslo"}}


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "{",
        '{"text": 5}',
        '{"messages": [{"role": "user", "content": 5}]}',
        '{"messages": [{"content": "no role"}]}',
        '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
        '{"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{"}}]}]}',
    ],
)
def test_what_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="neither a conversation, nor a text, nor a preference"):
        read_row(text)


def test_the_stop_is_the_last_token_that_every_answer_ends_with() -> None:
    tokens = ("<response>", "<end>", "<turn>")
    made = template(
        EACH + "{{ '<turn>' + message['role'] + '<response>' + message['content'] + '<end>' }}"
        "{% endfor %}",
        tokens=tokens,
    )
    assert made.stop == "<end>"
    made = template(
        EACH + "{{ '<turn>' + message['content'] + '<response><end>\n' }}{% endfor %}",
        tokens=tokens,
    )
    assert made.stop == "<end>"


def test_the_stop_is_that_of_the_last_answer_where_others_end_in_another_way() -> None:
    made = template(
        EACH + "{{ '<turn>' + message['content'] }}{% if loop.last %}<return>{% else %}<end>"
        "{% endif %}{% endfor %}",
        tokens=("<turn>", "<return>", "<end>"),
    )
    assert made.stop == "<return>"


def test_a_stop_that_is_no_token_is_none() -> None:
    made = template((BY_NAME["chatml"].tokenizer().chat_template), tokens=(), eos=None)
    assert made.ending == "<|im_end|>\n"
    assert made.stop is None
    assert made.stop_ids == []


@pytest.mark.parametrize(
    ("name", "messages", "what"),
    [
        (
            "mistral3",
            [{"role": "system", "content": "Be brief."}, HELLO, HELP],
            "the system's message, number 1 of the row",
        ),
        ("zephyr", CALLED, "the call in message 2 weather"),
        ("llama3", CALLED[:1] + CALLED[3:], "the tool weather"),
    ],
)
def test_what_a_template_leaves_out_is_told(
    name: str, messages: list[dict[str, Any]], what: str
) -> None:
    if name == "zephyr":
        messages = [messages[0], {**messages[1], "content": "weather"}, *messages[2:]]
    tools = [TOOL] if name == "llama3" else None
    with pytest.raises(DataError, match=f"^the chat template leaves out {what}"):
        draw(BY_NAME[name].template(), conversation(messages, tools), "last")


def test_a_result_that_is_left_out_is_told() -> None:
    made = template(
        EACH + "{% if message['role'] != 'tool' %}{{ message | tojson }}{% endif %}{% endfor %}"
    )
    with pytest.raises(DataError, match="leaves out the tool's answer, message 3, 22"):
        draw(made, conversation(CALLED), "last")


OLD_CALL = {"role": "assistant", "function_call": {"name": "weather", "arguments": "{}"}}
OLD_RESULT = {"role": "function", "name": "weather", "content": "22"}


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{{ message.role }}{{ message.content }}", "the call in message 2 weather"),
        ("{{ message.function_call }}", "the tool's answer, message 3, 22"),
    ],
)
def test_calls_in_their_old_form_are_not_left_out_either(written: str, what: str) -> None:
    made = template(EACH + written + "{% endfor %}")
    messages = [{"role": "user", "content": ""}, OLD_CALL, OLD_RESULT, HELP]
    with pytest.raises(DataError, match=f"leaves out {what}"):
        draw(made, conversation(messages), "last")


def test_a_prompt_that_is_not_how_answers_begin_is_refused() -> None:
    made = template(
        EACH + "{{ '<|im_start|>' + message['content'] + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|><think>' }}{% endif %}"
    )
    with pytest.raises(DataError, match=r"asks for message 2 with a text that ends .*<think>'"):
        draw(made, conversation([HELLO, HELP]), "last")


def test_an_answer_that_holds_the_stop_is_refused() -> None:
    answer = {"role": "assistant", "content": "<|im_start|>assistant\nYes<|im_end|>"}
    with pytest.raises(DataError, match=r"message 2 holds <\|im_end\|>, the token that ends"):
        draw(BY_NAME["chatml"].template(), conversation([HELLO, answer]), "assistant")


def test_an_answer_to_nothing_is_refused_unless_it_has_no_weight() -> None:
    made = BY_NAME["chatml"].template()
    with pytest.raises(DataError, match="begins with an answer to nothing"):
        draw(made, conversation([HELP, JOKE, NO]), "assistant")
    drawn = draw(made, conversation([{**HELP, "weight": 0}, JOKE, NO]), "assistant")
    assert [answer.message for answer in drawn.answers] == [2]


def test_a_conversation_without_answers_is_refused() -> None:
    with pytest.raises(DataError, match="has no assistant's turn to learn from"):
        draw(BY_NAME["chatml"].template(), conversation([HELLO]), "assistant")
