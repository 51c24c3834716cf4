"""Texts that are written at once become what each becomes alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_chats import write_chat_model
from tunewright.backends.torch.row_writer import RowWriter
from tunewright.backends.torch.writer import TorchWriter
from tunewright.serve.engine.batch import Batch
from tunewright.serve.engine.being_written import BeingWritten
from tunewright.serve.engine.wish import Piece, Wish

PROMPTS = (
    "the parcel is late",
    "a",
    "where is the refund of invoice 12? please, please",
    "hi there " * 12,
    "漢字 and the parcel",
    "password",
)
MIB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


@cache
def opened(folder: Path) -> tuple[TorchWriter, RowWriter]:
    writer = TorchWriter(folder)
    torch.set_num_threads(1)
    return writer, RowWriter(writer)


class Told:
    """What one text was told."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def __call__(self, piece: Piece | Exception) -> None:
        assert isinstance(piece, Piece)
        self.pieces.append(piece)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


class Desk:
    """A batch of a tiny model, and what was asked of it."""

    def __init__(self, folder: Path, *, most_texts: int = 8, most_bytes: int = 64 * MIB) -> None:
        self.writer, self.rows = opened(folder)
        self.batch = Batch(self.rows, most_texts=most_texts, most_bytes=most_bytes)

    def ask(self, prompt: str, **wish: Any) -> tuple[BeingWritten, Told]:
        told = Told()
        ids = self.writer.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        text = BeingWritten(
            Wish(tuple(ids), **{"most_tokens": 24, "temperature": 0.0} | wish),
            told,
            decode=lambda ids: self.writer.tokenizer.decode(ids, skip_special_tokens=True),
            spell=lambda token: self.writer.tokenizer.decode([token]).encode(),
            stop_ids=frozenset(self.writer.template.stop_ids),
            room=self.batch.longest,
        )
        self.batch.add(text)
        return text, told

    def finish(self) -> None:
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[int]:
        for number in range(2_000):
            if self.batch.is_idle:
                return
            self.batch.step()
            yield number
        raise AssertionError("it does not end")


def alone(folder: Path, prompt: str, most: int = 24) -> str:
    ((_, answer, _),) = opened(folder)[0].write([prompt], most_tokens=most)
    return answer


def test_texts_written_at_once_are_those_that_generate_writes_one_by_one(folder: Path) -> None:
    desk = Desk(folder)
    told = [desk.ask(prompt)[1] for prompt in PROMPTS]
    desk.finish()
    assert [each.text for each in told] == [alone(folder, prompt) for prompt in PROMPTS]


def test_a_text_that_joins_late_and_one_that_leaves_early_change_no_other(folder: Path) -> None:
    desk = Desk(folder, most_texts=3)
    told = [desk.ask(prompt, most_tokens=5 + 7 * n)[1] for n, prompt in enumerate(PROMPTS[:4])]
    for number in desk.steps():
        if number == 6:
            told += [desk.ask(prompt, most_tokens=30)[1] for prompt in PROMPTS[4:]]
    lengths = [5, 12, 19, 26, 30, 30]
    assert [each.text for each in told] == [
        alone(folder, prompt, most) for prompt, most in zip(PROMPTS, lengths, strict=True)
    ]


def test_a_text_that_has_to_leave_for_others_goes_on_as_if_nothing_had_been(folder: Path) -> None:
    token = opened(folder)[1].bytes_of_token
    desk = Desk(folder, most_bytes=int(1.5 * token * 170))
    told = [desk.ask(prompt, most_tokens=40)[1] for prompt in PROMPTS]
    desk.finish()
    assert [each.text for each in told] == [alone(folder, prompt, 40) for prompt in PROMPTS]


def test_a_prompt_is_read_in_parts_while_others_write(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(folder)
    monkeypatch.setattr(desk.rows, "read_at_once", 16)
    told = [desk.ask(prompt)[1] for prompt in PROMPTS]
    desk.finish()
    assert [each.text for each in told] == [alone(folder, prompt) for prompt in PROMPTS]


def test_the_same_seed_gives_the_same_text_whoever_else_is_there(folder: Path) -> None:
    wish = {"temperature": 1.0, "top_p": 0.9, "seed": 11}
    by_itself = Desk(folder)
    text = by_itself.ask(PROMPTS[0], **wish)[1]
    by_itself.finish()
    together = Desk(folder)
    others = [together.ask(prompt, temperature=1.3, seed=n)[1] for n, prompt in enumerate(PROMPTS)]
    same, other = (
        together.ask(PROMPTS[0], **wish | {"seed": seed})[1] for seed in (wish["seed"], 12)
    )
    together.finish()
    assert same.text == text.text
    assert len({each.text for each in (*others, other, same)}) > 4


def test_a_cancelled_text_frees_its_place(folder: Path) -> None:
    desk = Desk(folder, most_texts=1)
    first, _ = desk.ask(PROMPTS[0], most_tokens=100)
    _, second = desk.ask(PROMPTS[1])
    for number in desk.steps():
        first.cancelled = first.cancelled or number == 3
    assert second.text == alone(folder, PROMPTS[1])
    assert len(first.written) < 10


def test_a_text_ends_before_a_stop_text_that_is_never_told(folder: Path) -> None:
    whole = alone(folder, PROMPTS[0])
    stop = whole[7:10]
    desk = Desk(folder)
    told = desk.ask(PROMPTS[0], stops=(stop,))[1]
    desk.finish()
    assert told.text == whole[: whole.index(stop)]
    assert told.pieces[-1].finish == "stop"


def test_each_token_is_told_once_and_their_likelihoods_are_those_of_the_model(folder: Path) -> None:
    desk = Desk(folder)
    text, told = desk.ask(PROMPTS[2], told=3)
    desk.finish()
    said = [token for piece in told.pieces for token in piece.tokens]
    assert [token.text for token in said] == [text.decode([token]) for token in text.written]
    ids = torch.tensor([[*text.wish.prompt, *text.written]])
    with torch.inference_mode():
        scores = desk.rows.model(ids, attention_mask=torch.ones_like(ids)).logits.log_softmax(-1)
    right = scores[0, len(text.wish.prompt) - 1 : -1].max(-1).values
    torch.testing.assert_close(
        torch.tensor([token.logarithm for token in said]), right, atol=1e-4, rtol=0
    )
    assert all(
        (token.likeliest[0].text, token.likeliest[0].logarithm) == (token.text, token.logarithm)
        for token in said
    )
    assert all(len(token.likeliest) == 3 for token in said)


def test_what_is_added_to_a_score_decides(folder: Path) -> None:
    desk = Desk(folder)
    biased, _ = desk.ask(PROMPTS[0], bias={70: 1e4}, most_tokens=4)
    _, other = desk.ask(PROMPTS[0], frequency_penalty=2.0, presence_penalty=2.0, most_tokens=60)
    desk.finish()
    assert biased.written == [70] * 4
    assert other.text != alone(folder, PROMPTS[0], 60)
