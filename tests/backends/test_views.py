"""Views of training rows: what a backend is given, when each is shown, and what stays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from picture_models import open_pictures, write_picture_model
from tiny_models import text_rows
from training import as_rows, make_loop, make_plan, open_backend, phase, train
from tunewright.backends.torch import mix_up
from tunewright.backends.torch.word_neighbours import neighbours
from tunewright.backends.views import Views, free_words
from tunewright.errors import ModelError
from tunewright.train.loop import Progress

pytestmark = pytest.mark.usefixtures("one_thread")
AUGMENT = {"methods": ["swap", "delete", "typing"], "views": 3, "strength": 0.2}
PICTURES = {"methods": ["crop", "flip", "colour", "rand"], "views": 3, "strength": 0.3}


def row_ids(backend: Any, part: str) -> list[list[int]]:
    tokens = backend.parts[part].inputs
    return [tokens.ids[a:b].tolist() for a, b in zip(tokens.starts, tokens.starts[1:])]  # noqa: B905


def test_the_first_view_is_the_rows_and_validation_stays_as_it_is(tiny_bert: Path) -> None:
    plain, changed = open_backend(tiny_bert), open_backend(tiny_bert, augment=AUGMENT)
    part = changed.parts["train"]
    assert (part.rows, part.views, len(part.inputs)) == (48, 3, 144)
    rows = row_ids(changed, "train")
    assert rows[:48] == row_ids(plain, "train")
    assert rows[48:96] != rows[:48] != rows[96:] != rows[48:96]
    differ = [rows[at] != rows[at + 48] or rows[at] != rows[at + 96] for at in range(48)]
    assert part.changed >= sum(differ) > 24
    np.testing.assert_array_equal(part.targets, np.tile(plain.parts["train"].targets, 3))
    assert changed.parts["validation"].inputs.sha256() == plain.parts["validation"].inputs.sha256()


def test_a_view_depends_on_seed_row_and_number_alone(tiny_bert: Path) -> None:
    """Not on the order of the rows, nor on which others there are."""
    all_rows = text_rows(64)
    first = row_ids(open_backend(tiny_bert, augment=AUGMENT), "train")
    again = row_ids(open_backend(tiny_bert, augment=AUGMENT), "train")
    fewer = open_backend(tiny_bert, 32, rows=all_rows[:43], augment=AUGMENT)
    assert first == again
    assert row_ids(fewer, "train")[32:64] == first[48:80]
    random = Views(("swap",), 2, 0.1, seed=1).random("ab", 1)
    assert random.random() != Views(("swap",), 2, 0.1, seed=2).random("ab", 1).random()


def test_both_texts_of_a_pair_may_change(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, second=True, augment=AUGMENT)
    tokens = backend.parts["train"].inputs
    assert tokens.types is not None
    assert len(tokens.types) == len(tokens.ids) == tokens.starts[-1]


@pytest.mark.parametrize("cache", ["off", 1.0])
def test_each_epoch_shows_the_next_view_through_all_phases(
    tiny_bert: Path, tmp_path: Path, cache: float | str
) -> None:
    backend = open_backend(tiny_bert, augment=AUGMENT, cache=cache)
    shown: list[np.ndarray] = []
    step = backend.train_step

    def seen(parts: list[np.ndarray], **rest: Any) -> Any:
        shown.append(np.concatenate(parts))
        return step(parts, **rest)

    backend.train_step = seen
    plan = make_plan(phase(0, epochs=0), phase(1, epochs=2), phase(2, epochs=2), views=3)
    train(backend, plan, tmp_path)
    epochs = [np.sort(np.concatenate(shown[at : at + 6])) for at in range(0, 24, 6)]
    for epoch, view in enumerate((0, 1, 2, 0)):
        np.testing.assert_array_equal(epochs[epoch], np.arange(48) + 48 * view)


def test_with_kept_activations_the_steps_are_those_without(tiny_bert: Path, tmp_path: Path) -> None:
    scores = []
    for cache in ("off", 1.0):
        backend = open_backend(tiny_bert, augment=AUGMENT, cache=cache)
        plan = make_plan(phase(0, epochs=2), phase(1, epochs=3), views=3)
        progress = train(backend, plan, tmp_path / str(cache))
        scores.append([entry["log_loss"] for entry in progress.history])
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-3)


def test_rows_that_are_not_finite_are_named_by_their_own_place(
    tiny_bert: Path, tmp_path: Path
) -> None:
    backend = open_backend(tiny_bert, augment=AUGMENT)
    named: list[int] = []

    def name(rows: np.ndarray) -> str:
        named.extend(rows.tolist())
        return "some rows"

    backend.train_step = lambda *_, **__: (float("nan"), 1.0)
    plan = make_plan(phase(2, epochs=3), views=3, skip_not_finite=True)
    loop = make_loop(backend, plan, tmp_path, name_rows=name)
    loop.run(Progress())
    loop.events.close()
    assert set(named) == set(range(48))


def test_a_probe_of_views_is_judged_by_rows_that_none_of_its_views_are_of() -> None:
    from tunewright.backends.probe import _folds

    left_out, training = _folds(30, 0, 3)
    assert len(left_out) == 10
    assert left_out.max() < 30
    assert len(training) == 60
    assert not set(left_out % 30) & set(training % 30)


def test_pictures_have_views_of_their_pixels(tmp_path: Path) -> None:
    folder = write_picture_model(tmp_path / "model", "vit")
    plain = open_pictures(folder, tmp_path / "rows").parts["train"].inputs
    backend = open_pictures(folder, tmp_path / "rows", augment=PICTURES)
    part = backend.parts["train"]
    assert (part.rows, len(part.inputs), part.changed) == (24, 72, 24)
    first, rest = np.arange(24), np.arange(24, 72)
    np.testing.assert_array_equal(
        part.inputs.batch(first)["pixel_values"], plain.batch(first)["pixel_values"]
    )
    again = open_pictures(folder, tmp_path / "rows", augment=PICTURES).parts["train"].inputs
    assert again.sha256() == part.inputs.sha256()
    assert np.isfinite(part.inputs.batch(rest)["pixel_values"]).all()


# ---- mix-up


def test_a_row_s_partner_depends_on_the_step_and_the_row_alone() -> None:
    whole = mix_up.mixture(np.arange(48, 96), 48, parameter=0.4, draw=7)
    part = mix_up.mixture(np.arange(60, 70), 48, parameter=0.4, draw=7)
    np.testing.assert_array_equal(whole.rows[12:22], part.rows)
    assert whole.share == part.share >= 0.5
    assert set(whole.rows // 48) == {1}
    assert mix_up.mixture(np.arange(48), 48, parameter=0.4, draw=8).share != whole.share


def step_losses(backend: Any, blocks: int, parts: int) -> float:
    backend.start_phase(phase(blocks, epochs=3))
    rows = np.array_split(np.arange(8), parts)
    loss, _ = backend.train_step(rows, rate=0.0, draw=3)
    return float(loss)


def test_mixed_rows_have_the_loss_of_both_labels_and_in_parts_the_same(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, augment={"mix_up": 0.4})
    backend.solve_head(0)
    whole, parts = (step_losses(backend, 0, count) for count in (1, 4))
    assert whole == pytest.approx(parts, rel=1e-5)
    mixed = mix_up.mixture(np.arange(8), 48, parameter=0.4, draw=3)
    own, others = (backend.frozen.kept("train", rows) for rows in (np.arange(8), mixed.rows))
    kept = mixed.share * own + (1 - mixed.share) * others
    with torch.no_grad():
        scores = backend.frozen.prefix.place.scores(kept, lambda: None)
        chances = torch.log_softmax(scores, dim=1).numpy()
    labels = backend.parts["train"].targets
    wanted = -mixed.share * chances[np.arange(8), labels[:8]]
    wanted -= (1 - mixed.share) * chances[np.arange(8), labels[mixed.rows]]
    assert whole == pytest.approx(float(wanted.mean()), rel=1e-4)


def test_pictures_are_mixed_in_every_phase(tmp_path: Path) -> None:
    folder = write_picture_model(tmp_path / "model", "vit")
    for blocks in (0, 1, 2):
        losses = [
            step_losses(open_pictures(folder, tmp_path / "rows", augment=augment), blocks, 1)
            for augment in ({}, {"mix_up": 1.0})
        ]
        assert losses[0] != losses[1]


def test_texts_that_cannot_be_mixed_are_refused(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, augment={"mix_up": 0.4}, cache="off")
    with pytest.raises(ModelError, match="mixed by the one vector"):
        backend.start_phase(phase(0, epochs=1))


# ---- neighbours


def test_neighbours_are_words_that_the_model_has_close(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    table = AutoModel.from_pretrained(tiny_bert).get_input_embeddings().weight.detach().clone()
    of = tokenizer.get_vocab()
    table[of["refund"]] = table[of["invoice"]] + 0.001
    table[of["never"]] = table[of["invoice"]] + 0.001
    found = neighbours(tokenizer, table, ["Invoice", "unheard", "refund"])
    assert found["invoice"][0] == "refund"
    assert found["refund"][0] == "invoice"
    assert all("never" not in others for others in found.values())
    assert "unheard" not in found


def test_neighbours_of_a_model_without_whole_words_are_none(tiny_bert: Path) -> None:
    class Letters:
        def get_vocab(self) -> dict[str, int]:
            return {"a": 0, "##b": 1}

    assert neighbours(Letters(), torch.zeros(2, 4), ["ab"]) == {}


def test_free_words_are_those_of_texts_that_may_change() -> None:
    rows = as_rows([("Not one of THESE words 5 is free", "billing"), ("too short", "billing")])
    assert free_words(rows) == {"one", "of", "these", "words", "is", "free"}
