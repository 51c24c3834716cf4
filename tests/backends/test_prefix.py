"""What is kept of frozen layers: when, where, how much, and that it is never out of date."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tiny_models import text_rows, write_model
from training import make_plan, open_backend, phase, train, weights
from tunewright.backends import packed, prefix
from tunewright.backends.packed import make_packed
from tunewright.backends.settings import Room
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.backends.torch.places import AboveBlocks, BetweenBlocks, as_array, as_tensor

pytestmark = pytest.mark.usefixtures("one_thread")
ENDLESS = 1 << 40


def with_room(backend: TorchClassifier, room: Room) -> TorchClassifier:
    backend.frozen.room = room
    return backend


# ---- rows without padding


@pytest.mark.parametrize("in_memory", [0, ENDLESS])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_rows_come_back_as_they_went_in(tmp_path: Path, in_memory: int, kind: torch.dtype) -> None:
    lengths = np.array([3, 1, 5, 2])
    padded = torch.randn(4, 6, 4).to(kind)
    held = as_array(padded).dtype
    kept = make_packed(lengths, 4, held, in_memory=in_memory, folder=tmp_path / "a")
    assert kept.on_disk == (in_memory == 0)
    assert kept.size == 11 * 4 * kind.itemsize
    order = np.array([2, 0, 3, 1])
    kept.write(order, as_array(padded))
    read = as_tensor(kept.read(np.array([0, 3])))
    assert read.shape == (2, 3, 4)
    assert torch.equal(read[0], padded[1, :3])
    assert torch.equal(read[1, :2], padded[2, :2])
    assert (read[1, 2:] == 0).all()


def test_the_file_has_no_name_and_is_gone_with_its_last_user(tmp_path: Path) -> None:
    kept = make_packed(np.array([8]), 1024, np.dtype("float32"), in_memory=0, folder=tmp_path)
    kept.write(np.array([0]), np.ones((1, 8, 1024)))
    assert list(tmp_path.iterdir()) == []
    assert kept.flat.sum() == 8 * 1024


# ---- when


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "gpt2", "qwen2"])
def test_with_all_blocks_frozen_one_vector_of_each_row_is_kept(name: str, tmp_path: Path) -> None:
    backend = open_backend(write_model(tmp_path, name), 24)
    started = backend.start_phase(phase(0), keep=True)
    assert started.cached, started.reason
    assert backend.frozen.prefix is not None
    assert isinstance(backend.frozen.prefix.place, AboveBlocks)
    assert [len(each.flat) for each in backend.frozen.prefix.kept.values()] == [24, 8]
    assert "vector" in started.reason


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_head_of_a_decoder_is_solved_from_one_vector_of_each_row(
    name: str, tmp_path: Path
) -> None:
    solved = {}
    for cache in ("off", 1.0):
        backend = open_backend(write_model(tmp_path / "model", name), 24, cache=cache)
        backend.solve_head(0)
        solved[cache] = backend.answers("train")
        assert (backend.frozen.prefix is None) == (cache == "off")
    np.testing.assert_allclose(solved["off"], solved[1.0], atol=1e-4)


def test_below_trained_blocks_every_token_is_kept(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, 24)
    started = backend.start_phase(phase(1), keep=True)
    assert backend.frozen.prefix is not None
    assert isinstance(backend.frozen.prefix.place, BetweenBlocks)
    tokens = sum(len(part.inputs.ids) for part in backend.parts.values())
    assert sum(len(each.flat) for each in backend.frozen.prefix.kept.values()) == tokens
    assert started.cache_mib == backend.frozen.prefix.mib > 0


def test_what_would_cost_more_than_it_saves_is_not_kept(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefix, "_gain", lambda *_: -1.5)
    started = open_backend(tiny_bert, 24).start_phase(phase(1))
    assert not started.cached
    assert started.reason == "keeping activations would cost more than it saves"


def test_a_single_use_of_each_row_never_pays(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, 24)
    backend.frozen.keep(1, {"train": 1, "validation": 1}, None)
    assert backend.frozen.prefix is None
    assert "asked for once" in backend.frozen.reason


def test_a_decision_made_before_is_kept_without_measuring(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefix, "_gain", lambda *_: -1.0)
    assert open_backend(tiny_bert, 24).start_phase(phase(1), keep=True).cached
    assert not open_backend(tiny_bert, 24).start_phase(phase(1), keep=False).cached


def test_the_recipe_can_turn_it_off(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, 24, cache="off")
    backend.solve_head(1)
    assert not backend.start_phase(phase(1)).cached


# ---- room


def test_without_memory_it_lies_on_disk_and_trains_the_same(
    tiny_bert: Path, tmp_path: Path
) -> None:
    plan = make_plan(phase(0, epochs=0), phase(1, epochs=2))
    ended: list[dict[str, np.ndarray]] = []
    for room in (Room(ENDLESS, 0, tmp_path), Room(0, ENDLESS, tmp_path)):
        backend = with_room(open_backend(tiny_bert, 24, dropout=0.1), room)
        progress = train(backend, plan, tmp_path / f"run{len(ended)}")
        assert [record["cached"] for record in progress.records] == [True, True]
        assert backend.frozen.prefix is not None
        assert backend.frozen.prefix.on_disk == (room.memory == 0)
        ended.append(weights(backend))
    assert all(np.array_equal(ended[0][name], ended[1][name]) for name in ended[0])


@pytest.mark.parametrize("room", [(0, 0), (10, 10)])
def test_without_room_nothing_is_kept_and_the_reason_is_told(
    tiny_bert: Path, tmp_path: Path, room: tuple[int, int]
) -> None:
    backend = with_room(open_backend(tiny_bert, 24), Room(*room, tmp_path))
    started = backend.start_phase(phase(1))
    assert not started.cached
    assert "more than there is room for" in started.reason
    backend.train_step([np.arange(8)], rate=1.0, draw=0)


def test_a_disk_that_fills_up_is_no_crash(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(packed, "_take_room", full)
    backend = with_room(open_backend(tiny_bert, 24), Room(0, ENDLESS, tmp_path / "kept"))
    started = backend.start_phase(phase(1))
    assert started.reason == "no room for kept activations: No space left on device"
    assert list((tmp_path / "kept").iterdir()) == []


# ---- never out of date


def key(backend: TorchClassifier, blocks: int = 1) -> str:
    return backend.frozen.content_key(blocks)


def test_the_same_content_has_the_same_key_whoever_asks(tiny_bert: Path) -> None:
    assert key(open_backend(tiny_bert, 24)) == key(open_backend(tiny_bert, 24))


def test_one_changed_row_changes_the_key(tiny_bert: Path) -> None:
    rows = text_rows(32)
    changed = [*rows[:5], (rows[5][0] + " again", rows[5][1]), *rows[6:]]
    assert key(open_backend(tiny_bert, 24, rows=rows)) != key(
        open_backend(tiny_bert, 24, rows=changed)
    )


def test_another_cut_of_the_texts_or_padding_changes_the_key(tiny_bert: Path) -> None:
    known = key(open_backend(tiny_bert, 24))
    assert key(open_backend(tiny_bert, 24, max_length=4)) != known
    backend = open_backend(tiny_bert, 24)
    backend.frozen.parts = {
        name: replace(part, inputs=replace(part.inputs, padding=3))
        for name, part in backend.parts.items()
    }
    assert key(backend) != known


def test_a_changed_frozen_weight_changes_the_key_and_a_trained_one_does_not(
    tiny_bert: Path,
) -> None:
    backend = open_backend(tiny_bert, 24)
    known = key(backend)
    lower, upper = (next(block.parameters()) for block in backend.layout.blocks)
    with torch.no_grad():
        upper.add_(1.0)
        assert key(backend) == known
        lower.view(-1)[0] += 1e-3
        assert key(backend) != known


def test_the_precision_and_the_place_of_the_cut_change_the_key(tiny_bert: Path) -> None:
    keys = {
        key(open_backend(tiny_bert, 24, precision=precision), blocks)
        for precision in ("fp32", "bf16")
        for blocks in (0, 1)
    }
    assert len(keys) == 4


def test_what_lower_blocks_learned_is_seen_by_a_later_phase_above(tiny_bert: Path) -> None:
    """Top block, all, top block again: the third phase may not use what the first one kept."""
    backend = open_backend(tiny_bert, 24)
    backend.start_phase(phase(1))
    first = backend.frozen.prefix
    backend.start_phase(phase(1))
    assert backend.frozen.prefix is first  # nothing changed: kept as it is
    backend.start_phase(phase(2))
    for draw in range(3):
        backend.train_step([np.arange(8)], rate=1.0, draw=draw)
    assert backend.start_phase(phase(1)).cached
    rows = np.arange(6)
    with backend.calls.inference():
        whole = backend.model(**backend.calls.batch("train", rows)).logits
        assert (backend.frozen.scores("train", rows) - whole).abs().max() <= 1e-5
