"""Rows become what a model is given, or are refused by number: nothing is lost without a word."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from chat_families import BY_NAME, FOLDER, HELLO, HELP, JOKE, NO, TURNS, UNWEIGHTED
from tiny_tokenizers import tiny_tokenizer

from tunewright.backends import chat_reader
from tunewright.backends.chat_reader import ChatReader, RowError
from tunewright.backends.chats import IGNORE, ChatTokens
from tunewright.errors import DataError, ModelError

CONFIG = SimpleNamespace(model_type="llama", max_position_embeddings=512)
CHATML = str(FOLDER / "chatml.jinja")


def row(messages: list[dict[str, Any]]) -> str:
    return json.dumps({"messages": messages})


def reader(folder: Path, tokenizer: Any = None, **settings: Any) -> ChatReader:
    made = BY_NAME["chatml"].tokenizer() if tokenizer is None else tokenizer
    made.save_pretrained(folder)
    return ChatReader(folder, CONFIG, **settings)


def read(made: ChatReader, rows: list[str], longest: int | None = None) -> ChatTokens:
    found = made.read(rows, None, longest)
    assert isinstance(found, ChatTokens)
    return found


LONG = row([HELLO, {"role": "assistant", "content": "No, I will not. " * 20}])
ROWS = [row(TURNS), row(UNWEIGHTED), row([JOKE, NO]), '{"text": "Hello there, of 22 degrees."}']


def test_a_batch_holds_ids_mask_and_labels_that_are_not_shifted(tmp_path: Path) -> None:
    made = reader(tmp_path)
    tokens = read(made, ROWS)
    batch = tokens.batch(np.array([2, 0]))
    assert {name: array.dtype for name, array in batch.items()} == {
        "input_ids": np.int64,
        "attention_mask": np.int64,
        "labels": np.int64,
    }
    assert batch["attention_mask"].sum(axis=1).tolist() == tokens.lengths[[2, 0]].tolist()
    short = int(tokens.lengths[2])
    assert (batch["input_ids"][0, short:] == made.padding).all()
    assert (batch["labels"][0, short:] == IGNORE).all()
    learned = batch["labels"] != IGNORE
    np.testing.assert_array_equal(batch["labels"][learned], batch["input_ids"][learned])
    assert made.tokenizer.decode(batch["labels"][0][learned[0]]) == "No, I will not.<|im_end|>"
    assert tokens.num_learned(np.array([2, 0])) == learned.sum()
    assert tokens.num_learned(np.arange(4)) == tokens.learned.sum() == tokens.counts.learned


def test_a_stop_that_also_pads_is_learned(tmp_path: Path) -> None:
    made = reader(tmp_path)
    tokens = read(made, [row([JOKE, NO])])
    assert made.padding == made.tokenizer.eos_token_id == made.stop_ids[0]
    labels = tokens.batch(np.array([0]))["labels"][0]
    assert labels[labels != IGNORE][-1] == made.stop_ids[0]


def test_no_row_learns_its_first_token(tmp_path: Path) -> None:
    tokens = read(reader(tmp_path, learn="all"), ROWS)
    assert not tokens.learned[tokens.starts[:-1]].any()
    assert tokens.counts.learned == tokens.counts.tokens - len(ROWS) - len(
        read(reader(tmp_path / "no"), [row([HELLO, HELP])]).learned.nonzero()[0]
    )


def test_the_hash_tells_what_is_learned(tmp_path: Path) -> None:
    made = reader(tmp_path)
    one, same, two = (read(made, [r]).sha256() for r in (ROWS[0], ROWS[0], ROWS[1]))
    assert one == same != two


def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reader(tmp_path)
    whole = read(made, ROWS * 3)
    monkeypatch.setattr(chat_reader, "in_chunks", lambda rows: (([row], None) for row in rows))
    assert read(made, ROWS * 3).sha256() == whole.sha256()


def test_training_and_serving_share_the_template_to_the_byte(tmp_path: Path) -> None:
    made = reader(tmp_path / "base", tiny_tokenizer(template="another"), chat_template=CHATML)
    made.save(tmp_path / "tuned")
    again = ChatReader(tmp_path / "tuned", CONFIG)
    saved = (tmp_path / "tuned" / "chat_template.jinja").read_bytes()
    assert saved == Path(CHATML).read_bytes()
    assert again.tokenizer.chat_template == made.tokenizer.chat_template
    assert read(again, ROWS).sha256() == read(made, ROWS).sha256()


def test_a_row_that_is_too_long_is_refused_with_how_many_and_how_long(tmp_path: Path) -> None:
    made = reader(tmp_path)
    longest = int(read(made, [LONG]).lengths[0])
    with pytest.raises(RowError) as refused:
        read(made, [*ROWS, LONG, LONG], 60)
    assert (refused.value.row, refused.value.others) == (4, (5,))
    assert str(refused.value).startswith("row 5, {")
    assert str(refused.value).endswith(
        ": 2 rows of 6 are longer than 60 tokens, which is train.max_length; this one, the longest, "
        f"has {longest}\n"
        f"fix: set train.max_length to {longest} or more (the model can read 512), or set "
        "data.too_long to cut"
    )


def test_a_row_that_the_model_cannot_read_is_too_long(tmp_path: Path) -> None:
    made = reader(tmp_path)
    made.longest_input = 60
    with pytest.raises(DataError, match="1 row of 2 is longer than 60 tokens") as refused:
        read(made, [ROWS[0], LONG])
    longest = int(made.whole_lengths([LONG], None)[0])
    assert "all that the model can read; this one, the longest, has" in str(refused.value)
    assert refused.value.fix == (
        f"shorten rows to 60 tokens, or take a model that reads {longest}, or set data.too_long to cut"
    )


def test_a_template_without_answers_is_named_and_no_row_is_blamed(tmp_path: Path) -> None:
    path = tmp_path / "asks.jinja"
    path.write_text("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}")
    with pytest.raises(ModelError, match="writes nothing of what an assistant says") as refused:
        reader(tmp_path / "model", chat_template=str(path))
    assert f"data.chat_template, {path}," in refused.value.what
    made = BY_NAME["chatml"].tokenizer()
    made.chat_template = path.read_text()
    with pytest.raises(ModelError, match="the chat template of the model's tokenizer writes"):
        reader(tmp_path / "other", made)


@pytest.mark.parametrize(
    ("kind", "made", "template", "refuses"),
    [
        ("bert", "BertModel", None, True),
        ("distilbert", "DistilBertForMaskedLM", None, True),
        ("bert", "BertLMHeadModel", None, False),
        ("gpt2", "GPT2Model", None, False),
        ("bert", "BertModel", CHATML, False),
    ],
)
def test_a_model_that_only_reads_is_refused_for_rows_to_write(
    kind: str, made: str, template: str | None, refuses: bool, tmp_path: Path
) -> None:
    tokenizer = BY_NAME["chatml"].tokenizer()
    tokenizer.chat_template = None
    folder = tmp_path / "some-model"
    tokenizer.save_pretrained(folder)
    config = SimpleNamespace(model_type=kind, architectures=[made], max_position_embeddings=64)
    if not refuses:
        ChatReader(folder, config, chat_template=template)
        return
    with pytest.raises(ModelError, match="some-model reads texts and writes none") as refused:
        ChatReader(folder, config, chat_template=template)
    assert refused.value.fix.startswith("take a model that writes: --model smollm2")


def test_a_cut_row_keeps_its_beginning_and_is_counted(tmp_path: Path) -> None:
    made = reader(tmp_path, too_long="cut")
    whole, tokens = read(made, [ROWS[2], LONG]), read(made, [ROWS[2], LONG], 60)
    assert tokens.lengths[1] == 60
    np.testing.assert_array_equal(tokens.ids[tokens.starts[1] :], whole.ids[whole.starts[1] :][:60])
    assert tokens.counts.cut == 1
    assert (tokens.counts.turns, tokens.counts.stops) == (2, 1)
    assert tokens.counts.longest == whole.lengths[1]


def test_a_cut_that_leaves_nothing_to_learn_is_refused(tmp_path: Path) -> None:
    asks = row([{"role": "user", "content": "Tell me a joke " * 20}, NO])
    with pytest.raises(
        DataError, match=r"^row 2, .*: the row has .* nothing that is learned is among the first"
    ):
        read(reader(tmp_path, too_long="cut"), [ROWS[2], asks], 60)


def test_cuts_that_leave_no_stop_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every row is cut before its end"):
        read(reader(tmp_path, too_long="cut"), [LONG], 60)


def test_a_row_is_refused_by_its_number_and_beginning(tmp_path: Path) -> None:
    bad = row([{"role": "user", "content": "Only a question, and a long one, without an answer"}])
    with pytest.raises(RowError) as refused:
        read(reader(tmp_path), [*ROWS, bad])
    assert refused.value.row == 4
    assert str(refused.value).startswith(
        'row 5, {"messages": [{"role": "user", "content": "Only a question, …: has no assistant\'s'
    )


def test_all_rows_that_are_refused_are_told_not_the_first_alone(tmp_path: Path) -> None:
    bad, empty = row([{"role": "user", "content": "Only a question"}]), '{"text": ""}'
    with pytest.raises(RowError, match=r"^row 1, .* has no assistant's turn") as refused:
        read(reader(tmp_path), [bad, ROWS[0], empty, *ROWS, bad])
    assert (refused.value.row, refused.value.others) == (0, (2, 7))


def test_a_row_that_is_nested_too_deeply_is_refused_as_any_other(tmp_path: Path) -> None:
    deep = '{"messages": ' + "[" * 5000 + "]" * 5000 + "}"
    with pytest.raises(RowError, match=r"^row 5, .*: its lists and objects are nested too deeply"):
        read(reader(tmp_path), [*ROWS, deep])


def test_an_empty_text_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r'row 1, {"text": ""}: nothing of it is learned'):
        read(reader(tmp_path), ['{"text": ""}'])


def test_texts_need_no_template_but_an_end_token(tmp_path: Path) -> None:
    texts = ['{"text": "Hello there"}', '{"text": "Tell me a joke, please"}']
    tokens = read(reader(tmp_path / "end", tiny_tokenizer()), texts)
    assert tokens.counts.stops == 2
    with pytest.raises(ModelError, match="neither the chat template nor the tokenizer has a token"):
        read(reader(tmp_path / "none", tiny_tokenizer(eos=None)), texts)


def test_a_template_that_never_stops_is_refused(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(tokens=("<|im_start|>",), eos="</s>")
    made = reader(tmp_path, tokenizer, chat_template=CHATML)
    with pytest.raises(ModelError) as refused:
        read(made, ROWS[:3])
    assert str(refused.value) == (
        r"the chat template ends an answer with '<|im_end|>\n', which has no token of the "
        "tokenizer in it, so the model would never learn to stop\n"
        "fix: set data.chat_template to a Jinja file, or to plain"
    )


@pytest.mark.parametrize("prompt", ["ASSISTANT: ", "ASSISTANT:\n\n"])
def test_a_prompt_that_no_answer_was_trained_after_is_refused(tmp_path: Path, prompt: str) -> None:
    """A space, or for some tokenizers a second line end, joins the answer's first word."""
    file = tmp_path / "own.jinja"
    file.write_text(
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] + '\n' }}"
        f"{{% else %}}{{{{ '{prompt}' + m['content'] + eos_token }}}}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ '{prompt}' }}}}{{% endif %}}",
        "utf-8",
    )
    made = reader(tmp_path / "base", tiny_tokenizer("gpt2_bytes"), chat_template=str(file))
    with pytest.raises(ModelError, match="could not ask as training did"):
        read(made, ROWS[2:3])


def test_one_answer_that_joins_its_prompt_is_counted(tmp_path: Path) -> None:
    joins = row([HELLO, {"role": "assistant", "content": "\n\nHi!"}])
    assert read(reader(tmp_path), [*ROWS, joins]).counts.joined == 1


def test_no_rows_are_no_error(tmp_path: Path) -> None:
    assert len(read(reader(tmp_path), [])) == 0
