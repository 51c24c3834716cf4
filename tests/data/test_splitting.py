"""The laws of the split: content and seed decide, equal texts stay together, no label is lost."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any, get_args

import numpy as np
import pytest

from tunewright.data.duplicates import normalise
from tunewright.data.near import near_texts
from tunewright.data.parts import PARTS
from tunewright.data.rows import Rows, content_digits
from tunewright.data.split import By, split_rows
from tunewright.errors import DataError


def make(
    texts: list[str],
    labels: list[str],
    *,
    groups: list[str] | None = None,
    times: list[Any] | None = None,
) -> Rows:
    seen: Counter[str] = Counter()
    ids = []
    for text, label in zip(texts, labels, strict=True):
        content = content_digits(text, None, label)
        ids.append(f"{content}{seen[content]:08x}")
        seen[content] += 1
    numbers = np.arange(2, len(texts) + 2)
    return Rows(texts, None, labels, ids, "x.csv", numbers, groups=groups, times=times)


def sample(count: int = 400, seed: int = 3) -> Rows:
    """Skewed labels, some texts there several times (case aside), groups and times."""
    chance = random.Random(seed)
    texts = [f"text {chance.randrange(count * 3)}" for _ in range(count)]
    texts = [text.upper() if chance.random() < 0.3 else text for text in texts]
    kinds = "aaaaaaaaaabbbbbc"
    labels = [kinds[hash_of(normalise(text)) % len(kinds)] for text in texts]
    groups = [f"user {chance.randrange(40)}" for _ in range(count)]
    times = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(count)]
    return make(texts, labels, groups=groups, times=times)


def hash_of(text: str) -> int:
    return int(content_digits(text, None, None), 16)


def where(rows: Rows, parts: dict[str, Any]) -> dict[int, str]:
    found = {int(i): part for part in PARTS for i in parts[part]}
    assert sorted(found) == list(range(len(rows)))
    assert sum(len(parts[part]) for part in PARTS) == len(rows)
    return found


@pytest.mark.parametrize("by", ["stratified", "group", "time"])
def test_the_order_of_the_rows_does_not_matter(by: Any) -> None:
    rows = sample()
    order = list(range(len(rows)))
    random.Random(0).shuffle(order)
    settings = {"by": by, "validation": 0.15, "test": 0.15, "seed": 5}
    one = where(rows, split_rows(rows, **settings))
    two = where(rows, split_rows(rows.take(order), **settings))
    assert all(two[new] == one[old] for new, old in enumerate(order))


@pytest.mark.parametrize("by", ["stratified", "group"])
def test_another_seed_gives_another_split_and_the_same_seed_the_same(by: Any) -> None:
    rows = sample()
    one, again, two = (
        split_rows(rows, by=by, validation=0.2, test=0.2, seed=seed) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(one[part], again[part]) for part in PARTS)
    assert not np.array_equal(one["test"], two["test"])


@pytest.mark.parametrize("by", ["stratified", "time"])
@pytest.mark.parametrize("seed", range(5))
def test_equal_texts_land_in_the_same_part(by: Any, seed: int) -> None:
    rows = sample(seed=seed)
    parts = where(rows, split_rows(rows, by=by, validation=0.15, test=0.15, seed=seed))
    together = defaultdict(set)
    for index, text in enumerate(rows.texts):
        together[normalise(text)].add(parts[index])
    assert all(len(found) == 1 for found in together.values())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "share"), [(400, 0.15), (401, 0.1), (60, 0.15), (1000, 0.2)])
def test_sizes_are_the_shares_to_one_row(count: int, share: float, seed: int) -> None:
    rows = make([f"text {i}" for i in range(count)], ["abc"[i % 3] for i in range(count)])
    parts = split_rows(rows, by="stratified", validation=share, test=share, seed=seed)
    where(rows, parts)
    for part in ("validation", "test"):
        assert abs(len(parts[part]) - count * share) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_every_label_is_in_every_part_when_it_has_three_rows(seed: int) -> None:
    labels = ["big"] * 200 + ["small"] * 3 + ["four"] * 4 + [f"tiny {i // 3}" for i in range(60)]
    rows = make([f"text {i}" for i in range(len(labels))], labels)
    parts = split_rows(rows, by="stratified", validation=0.1, test=0.1, seed=seed)
    for part in PARTS:
        assert {labels[i] for i in parts[part]} == set(labels)


@pytest.mark.parametrize("seed", range(5))
def test_a_label_of_three_texts_that_are_often_repeated_is_in_every_part(seed: int) -> None:
    labels = ["big"] * 100 + ["echo"] * 21
    texts = [f"text {i}" for i in range(100)] + ["one"] * 7 + ["two"] * 7 + ["three"] * 7
    parts = split_rows(make(texts, labels), by="stratified", validation=0.1, test=0.1, seed=seed)
    for part in PARTS:
        assert "echo" in {labels[i] for i in parts[part]}


def test_the_label_mix_is_the_same_in_every_part() -> None:
    labels = ["a"] * 700 + ["b"] * 200 + ["c"] * 100
    rows = make([f"text {i}" for i in range(1000)], labels)
    parts = split_rows(rows, by="stratified", validation=0.15, test=0.15, seed=0)
    for part in PARTS:
        mix = Counter(labels[i] for i in parts[part])
        for label, share in (("a", 0.7), ("b", 0.2), ("c", 0.1)):
            assert abs(mix[label] - share * len(parts[part])) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_never_cut_and_sizes_are_near_the_shares(seed: int) -> None:
    rows = sample(seed=seed)
    assert rows.groups is not None
    parts = split_rows(rows, by="group", validation=0.2, test=0.2, seed=seed)
    found = where(rows, parts)
    sides = defaultdict(set)
    for index, group in enumerate(rows.groups):
        sides[group].add(found[index])
    assert all(len(side) == 1 for side in sides.values())
    assert all(abs(len(parts[part]) - 80) <= 20 for part in ("validation", "test"))


def test_groups_that_share_a_text_go_together() -> None:
    texts = [f"text {i}" for i in range(60)]
    groups = [f"g{i // 3}" for i in range(60)]
    texts[0] = texts[30] = "the same"
    rows = make(texts, ["a", "b"] * 30, groups=groups)
    found = where(rows, split_rows(rows, by="group", validation=0.2, test=0.2, seed=0))
    assert found[0] == found[30]


@pytest.mark.parametrize(
    "write",
    [
        lambda day: f"2024-01-{day:02}",
        lambda day: f"{day:02}.01.2024",
        lambda day: f"2024-01-{day:02}T10:00:00Z",
        lambda day: f"{day:02} Jan 2024 10:00:00 +0000",
        float,
        str,
    ],
)
def test_the_latest_rows_are_the_test_part(write: Any) -> None:
    days = list(range(1, 29))
    random.Random(1).shuffle(days)
    rows = make([f"text {d}" for d in days], ["a", "b"] * 14, times=[write(d) for d in days])
    parts = split_rows(rows, by="time", validation=0.25, test=0.25, seed=0)
    assert sorted(days[i] for i in parts["test"]) == list(range(22, 29))
    assert sorted(days[i] for i in parts["validation"]) == list(range(15, 22))


def test_a_share_of_nothing_gives_an_empty_part() -> None:
    for by in get_args(By):
        parts = split_rows(sample(), by=by, validation=0.2, test=0.0, seed=0)
        assert len(parts["test"]) == 0
        assert len(parts["validation"]) > 0


def test_numbers_and_dates_are_not_mixed() -> None:
    rows = make(["a", "b", "c"], ["x"] * 3, times=["2024-01-01", "17", "2024-01-02"])
    with pytest.raises(DataError, match="line 3 of"):
        split_rows(rows, by="time", validation=0.3, test=0.3, seed=0)


@pytest.mark.parametrize("seed", range(40))
def test_no_label_of_three_texts_is_lost_whatever_the_sizes_and_shares(seed: int) -> None:
    chance = random.Random(seed)
    texts, labels = [], []
    for label in range(chance.randrange(2, 12)):
        for text in range(chance.randrange(3, 9)):
            for _ in range(chance.choice([1, 1, 1, 2, 5])):
                texts.append(f"text {label} {text}")
                labels.append(f"label {label}")
    share = chance.choice([0.05, 0.1, 0.2, 0.3, 0.4])
    rows = make(texts, labels)
    parts = split_rows(rows, by="stratified", validation=share, test=share, seed=seed)
    where(rows, parts)
    for part in PARTS:
        assert {labels[i] for i in parts[part]} == set(labels)


def word_texts(count: int) -> list[str]:
    chance = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [" ".join("".join(chance.choices(letters, k=6)) for _ in range(8)) for _ in range(count)]


def near_links(rows: Rows) -> Any:
    return near_texts([rows], [rows.text_keys()]).links(rows.text_keys())


@pytest.mark.parametrize("by", ["stratified", "time", "group"])
@pytest.mark.parametrize("seed", range(3))
def test_near_copies_land_in_the_same_part_whatever_their_order(by: Any, seed: int) -> None:
    texts = word_texts(150)
    texts += [f"{text} too" for text in texts[:60]]
    settings: dict[str, Any] = {"by": by, "validation": 0.2, "test": 0.2, "seed": seed}
    rows = make(
        texts,
        ["abc"[i % 3] for i in range(210)],
        groups=[f"g{i}" for i in range(210)],
        times=[float(i) for i in range(210)],
    )
    found = where(rows, split_rows(rows, **settings, near=near_links(rows)))
    assert all(found[row] == found[150 + row] for row in range(60))
    order = list(range(210))
    random.Random(seed).shuffle(order)
    other = rows.take(order)
    again = where(other, split_rows(other, **settings, near=near_links(other)))
    assert all(again[new] == found[old] for new, old in enumerate(order))


def test_a_chain_of_near_copies_never_swallows_the_rows() -> None:
    (start,) = word_texts(1)
    chain = [start.split()]
    for word in " ".join(word_texts(25)).split()[:199]:
        last = chain[-1]
        chain.append([*last, word] if len(last) == 8 else last[1:])
    rows = make([" ".join(words) for words in chain], ["a", "b"] * 100)
    links = near_links(rows)
    assert len(links) >= 150
    parts = split_rows(rows, by="stratified", validation=0.2, test=0.2, seed=0, near=links)
    assert all(30 <= len(parts[part]) <= 50 for part in ("validation", "test"))


def test_a_class_whose_texts_are_all_near_is_in_every_part() -> None:
    texts = word_texts(90)
    texts += [f"{texts[0]} {word}" for word in ("one", "two", "three", "four")]
    labels = ["big"] * 90 + ["small"] * 4
    rows = make(texts, labels)
    parts = split_rows(
        rows, by="stratified", validation=0.2, test=0.2, seed=0, near=near_links(rows)
    )
    for part in PARTS:
        assert {labels[i] for i in parts[part]} == {"big", "small"}
