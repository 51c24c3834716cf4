"""The two answers of a preference are answers to the same tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_families import FAMILIES, HELLO, HELP, JOKE, Family
from test_chat_reader import CONFIG, ROWS, reader

from tunewright.backends.chat_reader import ChatReader, RowError
from tunewright.backends.chats import IGNORE
from tunewright.backends.preferences import PairTokens
from tunewright.errors import DataError

GOOD, BAD = "No, I will not.", "Why? " * 4


def pair(good: str = GOOD, bad: str = BAD, messages: Any = (HELLO, HELP, JOKE)) -> str:
    return json.dumps(
        {
            "input": {"messages": list(messages)},
            "preferred_output": [{"role": "assistant", "content": good}],
            "non_preferred_output": [{"role": "assistant", "content": bad}],
        }
    )


def read(made: ChatReader, rows: list[str], longest: int | None = None) -> PairTokens:
    found = made.read(rows, None, longest)
    assert isinstance(found, PairTokens)
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_both_begin_with_the_tokens_that_serving_asks_with(family: Family, tmp_path: Path) -> None:
    made = reader(tmp_path, family.tokenizer())
    pairs = read(made, [pair()])
    asked = made.tokenizer.apply_chat_template(
        [HELLO, HELP, JOKE], add_generation_prompt=True, return_dict=False
    )
    assert pairs.prompt(0).tolist() == asked
    for half in (pairs.chosen, pairs.rejected):
        assert half.ids[: len(asked)].tolist() == asked
        assert not half.learned[: len(asked)].any()
    chosen, rejected = (made.tokenizer.decode(ids) for ids in pairs.answers(0))
    assert chosen == family.no
    assert rejected.endswith(family.stop)


def test_a_batch_is_all_chosen_and_then_all_rejected(tmp_path: Path) -> None:
    made = reader(tmp_path)
    pairs = read(made, [pair(), pair("Hi!", "Hello there!", [HELLO]), pair()])
    batch = pairs.batch(np.array([1, 0]))
    answers = [
        made.tokenizer.decode(labels[labels != IGNORE]).removesuffix("<|im_end|>").strip()
        for labels in batch["labels"]
    ]
    assert answers == ["Hi!", GOOD, "Hello there!", BAD.strip()]
    assert batch["attention_mask"].sum(axis=1).max() == pairs.rejected.lengths[:2].max()
    assert pairs.num_learned(np.array([1, 0])) == (batch["labels"] != IGNORE).sum()


def test_the_hash_tells_which_was_preferred(tmp_path: Path) -> None:
    made = reader(tmp_path)
    one, two = read(made, [pair(GOOD, BAD)]), read(made, [pair(BAD, GOOD)])
    assert one.sha256() != two.sha256()
    assert one.sha256() == read(made, [pair(GOOD, BAD)]).sha256()


def test_an_answer_that_joins_the_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"row 2, .* the question ends within a token") as refused:
        read(reader(tmp_path), [pair(), pair("\n\nNo")])
    assert refused.value.row == 1


def test_preferences_and_other_rows_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"row 2, .*: preferences and other rows are mixed"):
        read(reader(tmp_path), [pair(), ROWS[0]])


def test_long_preferences_are_refused_or_cut(tmp_path: Path) -> None:
    rows = [pair(), pair(bad="Why? " * 60), pair()]
    with pytest.raises(DataError, match="1 row of 3 is longer than 90 tokens"):
        read(reader(tmp_path), rows, 90)
    cut = read(reader(tmp_path, too_long="cut"), rows, 90)
    assert cut.rejected.lengths[1] == 90
    assert cut.rejected.counts.cut == 1
    assert ChatReader(tmp_path, CONFIG).longest_input == 512
