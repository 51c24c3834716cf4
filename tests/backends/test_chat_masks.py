"""What is learned of a conversation, against truth that was made by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from chat_families import BY_NAME, CALLED, FAMILIES, JOKE, NO, TOOL, TURNS, UNWEIGHTED, Family
from tiny_tokenizers import KINDS

from tunewright.backends.chat_template import ChatTemplate
from tunewright.backends.conversation import read_row
from tunewright.backends.learned import Learn, Marked, marked
from tunewright.backends.token_view import rendered
from tunewright.errors import DataError

Messages = list[dict[str, Any]]


def mark(
    template: ChatTemplate, messages: Messages, learn: Learn = "assistant", tools: Any = None
) -> Marked:
    row = read_row(json.dumps({"messages": messages, **({"tools": tools} if tools else {})}))
    return marked(template, row, learn)


def learned_texts(template: ChatTemplate, found: Marked) -> list[str]:
    """The stretches that are learned, each with its stop token."""
    pieces = rendered(found, template.tokenizer)
    texts: list[str] = []
    for before, piece in zip([None, *pieces], pieces, strict=False):
        if piece.learned and before is not None and before.learned and not before.is_stop:
            texts[-1] += piece.text
        elif piece.learned:
            texts.append(piece.text)
    return texts


def same(kind: str, texts: list[str], truth: list[str]) -> bool:
    """One kind of tokenizer puts spaces of its own between stretches."""
    if kind != "prepended":
        return texts == truth
    return [t.replace(" ", "") for t in texts] == [t.replace(" ", "") for t in truth]


families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
kinds = pytest.mark.parametrize("kind", KINDS)


def test_there_are_many_families() -> None:
    assert len(BY_NAME) == 13


@kinds
@families
def test_every_answer_is_learned_with_its_stop(family: Family, kind: str) -> None:
    template = family.template(kind)
    if family.help is None:
        with pytest.raises(DataError, match="writes message 2 in another way") as refused:
            mark(template, TURNS)
        assert "data.learn to last" in refused.value.fix
        return
    found = mark(template, TURNS)
    assert same(kind, learned_texts(template, found), [family.help, family.no])
    assert [turn.has_stop for turn in found.turns] == [True, True]
    assert [turn.is_joined for turn in found.turns] == [False, False]


@kinds
@families
def test_a_turn_of_no_weight_is_not_learned(family: Family, kind: str) -> None:
    template = family.template(kind)
    assert same(kind, learned_texts(template, mark(template, UNWEIGHTED)), [family.no])


@kinds
@families
def test_the_last_answer_alone_is_learned(family: Family, kind: str) -> None:
    template = family.template(kind)
    assert same(kind, learned_texts(template, mark(template, TURNS, "last")), [family.no])


@kinds
@families
def test_calls_are_learned_as_the_template_writes_them(family: Family, kind: str) -> None:
    template = family.template(kind)
    learn: Learn = "last" if family.name == "qwen3" else "assistant"
    if family.called is None:
        with pytest.raises(DataError, match=r"the chat template (refuses|leaves out)"):
            mark(template, CALLED, learn, [TOOL])
        return
    found = mark(template, CALLED, learn, [TOOL])
    assert same(kind, learned_texts(template, found), list(family.called))


@families
def test_the_text_of_a_turn_without_weight_changes_nothing_learned(family: Family) -> None:
    template = family.template()
    other = {"role": "assistant", "content": "Quite another  text\n\nof two lines 🙂", "weight": 0}
    one, two = (mark(template, [UNWEIGHTED[0], turn, JOKE, NO]) for turn in (UNWEIGHTED[1], other))
    np.testing.assert_array_equal(one.ids[one.learned], two.ids[two.learned])


@families
def test_what_differs_in_the_last_turn_shares_the_tokens_before(family: Family) -> None:
    template = family.template()
    one, two = (
        mark(template, [*TURNS[:3], {"role": "assistant", "content": text}], "last")
        for text in ("No, I will not.", "Why did the tool call?")
    )
    first = one.turns[0].first
    assert first == two.turns[0].first
    np.testing.assert_array_equal(one.ids[:first], two.ids[:first])
    assert not one.learned[:first].any()


@families
def test_serving_asks_with_the_tokens_that_training_had_before_the_answer(family: Family) -> None:
    template = family.template()
    found = mark(template, TURNS, "last")
    asked = template.tokenizer.apply_chat_template(
        TURNS[:3], add_generation_prompt=True, return_dict=False
    )
    assert found.ids[: found.turns[0].first].tolist() == asked


@families
def test_tokens_are_those_that_the_tokenizer_gives_the_conversation(family: Family) -> None:
    """So also a first token that the template writes is there once."""
    template = family.template()
    found = mark(template, TURNS, "last")
    whole = template.tokenizer.apply_chat_template(TURNS, return_dict=False)
    assert found.ids.tolist() == whole
    if family.bos and family.name != "llama2":  # which writes one before each question
        assert found.ids.tolist().count(template.tokenizer.bos_token_id) == 1


@families
def test_everything_but_turns_without_weight_can_be_learned(family: Family) -> None:
    template = family.template()
    assert mark(template, TURNS, "all").learned.tolist() == [False] + [True] * (
        len(mark(template, TURNS, "all").ids) - 1
    )
    if family.help is None:
        return
    found = mark(template, UNWEIGHTED, "all")
    left_out = template.tokenizer.decode(found.ids[1:][~found.learned[1:]])
    assert left_out == family.help


@families
def test_the_stop_is_what_the_template_ends_an_answer_with(family: Family) -> None:
    template = family.template()
    assert template.stop == family.stop
    assert template.stop_ids[0] == template.tokenizer.convert_tokens_to_ids(family.stop)
    assert template.tokenizer.eos_token_id in template.stop_ids


def test_marks_of_a_template_and_proof_agree() -> None:
    one, two = (mark(BY_NAME[name].template(), TURNS) for name in ("chatml", "chatml_marked"))
    np.testing.assert_array_equal(one.ids, two.ids)
    np.testing.assert_array_equal(one.learned, two.learned)


MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "ANSWER{% else %}{{ m['content'] }}<|im_end|>{{ '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.mark.parametrize(
    "answer",
    [
        "{% generation %}{{ m['content'] }}{% endgeneration %}<|im_end|>{{ '\n' }}",
        "{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}{{ '\n' }}",
        "{% generation %}{{ m['content'] }}<|im_end|>{{ '\n' }}{% endgeneration %}",
        "{% if loop.last %}{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}"
        "{% else %}{{ m['content'] }}<|im_end|>{% endif %}{{ '\n' }}",
    ],
    ids=["without the stop", "with it", "with what follows", "not around each"],
)
def test_marks_are_taken_with_the_stop_and_without_what_follows(answer: str) -> None:
    tokenizer = BY_NAME["chatml"].tokenizer()
    tokenizer.chat_template = MARKED.replace("ANSWER", answer)
    template = ChatTemplate(tokenizer)
    truth = [BY_NAME["chatml"].help, BY_NAME["chatml"].no]
    assert learned_texts(template, mark(template, TURNS)) == truth


def test_marks_around_what_serving_writes_begin_after_it() -> None:
    tokenizer = BY_NAME["chatml"].tokenizer()
    turn = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'assistant' %}"
        f"{{% generation %}}{turn}{{% endgeneration %}}{{% else %}}{turn}{{% endif %}}{{% endfor %}}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    template = ChatTemplate(tokenizer)
    truth = [BY_NAME["chatml"].help, BY_NAME["chatml"].no]
    assert learned_texts(template, mark(template, TURNS)) == truth


def test_marks_do_not_hide_that_serving_asks_in_another_way() -> None:
    tokenizer = BY_NAME["chatml_marked"].tokenizer()
    tokenizer.chat_template += "{% if add_generation_prompt %}<think>{% endif %}"
    with pytest.raises(DataError, match=r"asks for message 2 with a text that ends .*<think>'"):
        mark(ChatTemplate(tokenizer), TURNS)


@kinds
def test_letters_of_many_bytes_are_learned_whole(kind: str) -> None:
    template = BY_NAME["chatml"].template(kind)
    answer = {"role": "assistant", "content": "é 🙂 产品 ok"}
    found = mark(template, [{"role": "user", "content": "🙂🙂é"}, answer])
    assert same(kind, learned_texts(template, found), ["é 🙂 产品 ok<|im_end|>"])


def test_a_text_is_learned_but_for_its_first_token_and_ends_with_a_stop() -> None:
    template = BY_NAME["chatml"].template()
    found = marked(template, read_row('{"text": "Hello there"}'), "assistant")
    assert template.tokenizer.decode(found.ids) == "Hello there<|im_end|>"
    assert found.learned.tolist() == [False] + [True] * (len(found.ids) - 1)
    assert found.stops.tolist() == [False] * (len(found.ids) - 1) + [True]
