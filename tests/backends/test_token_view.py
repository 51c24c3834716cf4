"""What is shown of a row is what the model is given, token by token."""

from __future__ import annotations

import json

import pytest
from chat_families import BY_NAME, HELLO, TURNS
from tiny_tokenizers import KINDS

from tunewright.backends.conversation import Plain, read_row
from tunewright.backends.learned import Marked, marked
from tunewright.backends.token_view import Piece, html_view, plain_view, rendered, terminal_view

TEMPLATE = BY_NAME["chatml"].template()
SHORT = [HELLO, {"role": "assistant", "content": "Hi! <b>"}]


def mark(messages: list[dict[str, str]]) -> Marked:
    return marked(TEMPLATE, read_row(json.dumps({"messages": messages})), "assistant")


def test_pieces_are_the_text_with_what_is_learned_and_what_stops() -> None:
    assert rendered(mark(SHORT), TEMPLATE.tokenizer) == [
        Piece(
            "<|im_start|>user\nHello there<|im_end|>\n<|im_start|>assistant\n", False, False, False
        ),
        Piece("Hi! <b>", True, False, False),
        Piece("<|im_end|>", True, True, False),
        Piece("\n", False, False, False),
    ]


def test_an_answer_that_is_not_preferred_is_marked_as_avoided() -> None:
    pieces = rendered(mark(SHORT), TEMPLATE.tokenizer, avoided=True)
    assert [(piece.learned, piece.is_avoided, piece.is_stop) for piece in pieces] == [
        (False, False, False),
        (False, True, False),
        (False, True, True),
        (False, False, False),
    ]
    assert '<span class="avoided">Hi! &lt;b&gt;</span>' in html_view(pieces)
    assert "⟦not: Hi! <b>⟧" in plain_view(pieces)
    assert "red underline" in [str(span.style) for span in terminal_view(pieces).spans]


def test_what_is_cut_is_shown_and_not_learned() -> None:
    found = mark(SHORT)
    pieces = rendered(found.cut_at(found.turns[0].first + 1), TEMPLATE.tokenizer)
    assert [(piece.learned, piece.is_stop, piece.is_cut) for piece in pieces] == [
        (False, False, False),
        (True, False, False),
        (False, False, True),
    ]
    assert "".join(piece.text for piece in pieces).endswith("<b><|im_end|>\n")


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_together_what_the_ids_decode_to(kind: str) -> None:
    template = BY_NAME["mistral3"].template(kind)
    found = marked(template, read_row(json.dumps({"messages": TURNS})), "assistant")
    pieces = rendered(found, template.tokenizer)
    assert "".join(piece.text for piece in pieces) == template.tokenizer.decode(found.ids)


def test_a_letter_that_a_cut_divides_is_shown_as_divided() -> None:
    found = marked(TEMPLATE, Plain("Hello 🙂"), "all")
    pieces = rendered(found.cut_at(len(found.ids) - 2), TEMPLATE.tokenizer)
    assert "\ufffd" in pieces[1].text
    assert pieces[-1].is_cut
    assert pieces[-1].text == "\ufffd<|im_end|>"


def test_a_row_of_no_tokens_has_no_pieces() -> None:
    template = BY_NAME["chatml"].template()
    template.tokenizer.eos_token = None
    assert rendered(marked(template, Plain(""), "all"), template.tokenizer) == []


def test_a_page_gets_escaped_spans() -> None:
    found = mark(SHORT)
    page = html_view(rendered(found.cut_at(len(found.ids) - 1), TEMPLATE.tokenizer))
    assert page == (
        "&lt;|im_start|&gt;user\nHello there&lt;|im_end|&gt;\n&lt;|im_start|&gt;assistant\n"
        '<span class="learned">Hi! &lt;b&gt;</span>'
        '<span class="learned stop">&lt;|im_end|&gt;</span>'
        '<span class="cut">\n</span>'
    )


def test_a_terminal_gets_styles_and_no_control_characters() -> None:
    view = terminal_view(
        [
            Piece("a[b]\x1b[31m\n", False, False, False),
            Piece("c", True, True, False),
            Piece("d", False, False, True),
        ]
    )
    assert view.plain == "a[b]␛[31m\ncd"
    assert [(span.start, span.end, str(span.style)) for span in view.spans] == [
        (10, 11, "green underline reverse"),
        (11, 12, "strike"),
    ]
