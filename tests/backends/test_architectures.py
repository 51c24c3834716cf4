"""Eighteen architectures, two random blocks each or twice two: the same laws for all, and no list of names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tiny_models import ARCHITECTURES, DECODERS, write_model
from training import make_plan, open_backend, phase, train, weights
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.backends.torch.cut import Cut
from tunewright.backends.torch.predictor import TorchPredictor

NUM_BLOCKS = dict.fromkeys(ARCHITECTURES, 2) | {
    "albert": 1,  # it repeats one block
    "t5": 4,  # two of the encoder, two of the decoder
    "bart": 4,
}
pytestmark = pytest.mark.usefixtures("one_thread")
every_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("architectures")
    return {name: write_model(root / name, name) for name in ARCHITECTURES}


def batch_of(backend: TorchClassifier, count: int = 6) -> dict[str, torch.Tensor]:
    return backend.calls.batch("train", np.arange(count))


def test_there_are_at_least_14_architectures() -> None:
    assert len(ARCHITECTURES) >= 14


@every_architecture
def test_every_weight_is_in_the_embeddings_one_block_or_the_head(
    name: str, folders: dict[str, Path]
) -> None:
    backend = open_backend(folders[name], 8)
    layout = backend.layout
    assert layout.num_blocks == NUM_BLOCKS[name]
    assert layout.head
    assert layout.embeddings
    assert all(layout.in_block)
    grouped = [*layout.embeddings, *layout.head, *(n for block in layout.in_block for n in block)]
    assert sorted(grouped) == sorted(dict(backend.model.named_parameters()))
    words = [n for n in layout.embeddings if "emb" in n or "wte" in n or "shared" in n]
    assert words
    assert not [n for n in layout.head if "emb" in n]
    if name == "deberta-v2":
        assert [n for n in layout.embeddings if "rel_embeddings" in n]


@every_architecture
@pytest.mark.parametrize("top", [0, 1, 2])
def test_only_the_top_blocks_and_the_head_get_gradients(
    name: str, top: int, folders: dict[str, Path]
) -> None:
    backend = open_backend(folders[name], 8)
    layout = backend.layout
    top = min(top, layout.num_blocks)
    backend.start_phase(phase(top, epochs=0))
    backend.model(**batch_of(backend)).logits.square().sum().backward()
    expected = {n for block in layout.in_block[layout.num_blocks - top :] for n in block}
    expected |= set(layout.head)
    if top == layout.num_blocks:
        expected |= set(layout.embeddings)
    asked = {n for n, p in backend.model.named_parameters() if p.requires_grad}
    assert asked == expected
    assert {n for n, p in backend.model.named_parameters() if p.grad is not None} <= expected
    last = layout.head[-1]
    assert dict(backend.model.named_parameters())[last].grad is not None


@every_architecture
def test_cut_and_top_equal_the_whole(name: str, folders: dict[str, Path]) -> None:
    backend = open_backend(folders[name], 16)
    started = backend.start_phase(phase(1))
    if NUM_BLOCKS[name] == 1:
        assert not started.cached
        assert started.reason == "nothing is frozen"
        return
    assert started.cached, started.reason
    rows = np.arange(16)
    with backend.calls.inference():
        whole = backend.model(**backend.calls.batch("train", rows)).logits
        assert (backend.frozen.scores("train", rows) - whole).abs().max() <= 1e-5
        few = np.array([5, 2, 11])  # with another amount of padding than when it was kept
        part = backend.frozen.scores("train", few)
        assert (part - whole[torch.from_numpy(few)]).abs().max() <= 1e-5


@every_architecture
@pytest.mark.parametrize("top", [0, 1])
def test_training_from_the_kept_prefix_gives_the_same_losses(
    name: str, top: int, folders: dict[str, Path]
) -> None:
    losses: dict[bool, list[float]] = {}
    for kept in (True, False):
        backend = open_backend(folders[name], 24, cache=1.0 if kept else "off")
        started = backend.start_phase(phase(top), keep=kept)
        assert started.cached == (kept and NUM_BLOCKS[name] > 1), started.reason
        losses[kept] = [
            float(backend.train_step([np.arange(at, at + 8)], rate=1.0, draw=at)[0])
            for at in (0, 8, 16, 0, 8, 16)
        ]
    bound = 2e-4 if name == "t5" else 1e-5  # its unscaled attention amplifies what is rounded
    assert losses[True] == pytest.approx(losses[False], abs=bound)
    assert len(set(losses[True])) == 6


@every_architecture
def test_a_whole_training_gives_a_model_that_loads_and_answers_the_same(
    name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    backend = open_backend(folders[name], 48)
    plan = make_plan(phase(0, epochs=0), phase(1, epochs=1), phase(backend.num_blocks, epochs=2))
    before = weights(backend)
    progress = train(backend, plan, tmp_path)
    assert [r["trainable_blocks"] for r in progress.records] == [0, 1, backend.num_blocks]
    assert progress.best.value is not None
    assert np.isfinite(progress.best.value)
    assert any((before[n] != w).any() for n, w in weights(backend).items())
    backend.save_model(tmp_path / "model")
    answers = TorchPredictor(tmp_path / "model").answers(texts := texts_of_validation())
    assert answers.shape == (len(texts), 3)
    np.testing.assert_allclose(answers, backend.answers("validation"), atol=1e-5)


def texts_of_validation() -> list[str]:
    from tiny_models import text_rows

    return [text for text, _ in text_rows(64)[48:]]


@pytest.mark.parametrize("name", ["bert", "albert", "gpt2", "qwen2", "modernbert"])
def test_the_probe_lowers_the_loss_below_chance(name: str, folders: dict[str, Path]) -> None:
    backend = open_backend(folders[name], 48)
    backend.solve_head(1)
    chances = backend.answers("train")
    labels = backend.parts["train"].targets
    assert -np.log(chances[np.arange(48), labels]).mean() < np.log(3)
    assert (chances.argmax(1) == labels).mean() > 0.45  # of three labels, by random features


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_answers_from_the_last_word_whatever_the_padding(
    name: str, folders: dict[str, Path]
) -> None:
    backend = open_backend(folders[name], 24)
    assert backend.reader.padding is not None
    assert backend.model.config.pad_token_id == backend.reader.padding
    order = np.argsort(backend.parts["train"].inputs.lengths)
    short, long = order[:1], order[[0, -1]]
    with backend.calls.inference():
        alone, beside = backend.frozen.scores("train", short), backend.frozen.scores("train", long)
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


@pytest.mark.parametrize("groups", [{"num_hidden_groups": 2}, {"inner_group_num": 2}])
def test_blocks_that_are_called_more_than_once_are_never_cut(
    groups: dict[str, int], tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "albert", "albert", num_hidden_layers=4, **groups)
    backend = open_backend(folder, 24)
    assert backend.num_blocks == 2
    plan = make_plan(phase(1, epochs=1), phase(2, epochs=1))
    progress = train(backend, plan, tmp_path / "run")
    assert [record["cached"] for record in progress.records] == [False, False]
    assert "more than once" in progress.records[0]["reason"]


def test_the_frozen_blocks_are_back_in_place_after_an_error(folders: dict[str, Path]) -> None:
    backend = open_backend(folders["bert"], 8)
    cut = Cut(backend.model.eval(), backend.layout.blocks, 1)
    cut.prove(batch_of(backend))
    with pytest.raises(RuntimeError, match="stop"), cut.without_blocks():
        raise RuntimeError("stop")
    layers = backend.model.bert.encoder.layer
    assert tuple(layers) == backend.layout.blocks


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_an_empty_text_gets_an_answer(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    open_backend(folders[name], 8).save_model(tmp_path / "model")
    answers = TorchPredictor(tmp_path / "model").answers(["", "an invoice", " "])
    np.testing.assert_allclose(answers.sum(1), 1.0)
    alone = TorchPredictor(tmp_path / "model").answers([""])
    np.testing.assert_allclose(alone[0], answers[0], atol=1e-6)
