"""The contrastive phase and balanced sampling: their orders, their loss, when they are chosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModel, pipeline

from tiny_models import text_rows, write_csv, write_model
from training import make_plan, open_backend, phase, train, weights
from tunewright import predict, run
from tunewright.backends.torch.contrastive import contrastive_loss
from tunewright.durable import read_lines
from tunewright.errors import RecipeError
from tunewright.few_rows import FOLDS, choose_contrastive, few_rows, folds, speaks_for
from tunewright.recipe.load import build_recipe, load_recipe
from tunewright.train.balanced import balanced_rows, contrastive_batches

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = ["train.threads=1", "train.precision=fp32", "evaluate.resamples=100"]
WHY = "for few rows, where neither strategy, phases nor epochs are given"
UNEVEN = np.repeat(np.arange(4), [40, 10, 3, 1])


# ---- orders


def test_a_balanced_epoch_draws_every_class_equally_often_and_its_rows_in_turn() -> None:
    drawn = balanced_rows(UNEVEN, seed=0, epoch=0)
    assert len(drawn) == len(UNEVEN)
    assert sorted(np.bincount(UNEVEN[drawn])) == [13, 13, 14, 14]
    for one in range(4):
        times = np.bincount(drawn, minlength=len(UNEVEN))[one == UNEVEN]
        assert times.max() - times.min() <= 1


@pytest.mark.parametrize("draw", [balanced_rows, lambda y, **k: contrastive_batches(y, 8, **k)])
def test_balanced_orders_are_functions_of_seed_and_epoch(draw: Any) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        np.random.default_rng(5).random(9)
        return np.concatenate(
            [np.atleast_1d(r) for r in draw(UNEVEN, seed=seed, epoch=epoch)]
        ).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(1, 0) != order(0, 1)


@pytest.mark.parametrize(
    ("classes", "size", "at_once", "of_each"),
    [(4, 32, {4}, 8), (3, 8, {3}, 2), (77, 16, {7, 8}, 2)],
)
def test_a_contrastive_batch_has_rows_to_pull_together_and_rows_to_push_apart(
    classes: int, size: int, at_once: set[int], of_each: int
) -> None:
    labels = np.repeat(np.arange(classes), 8)
    batches = contrastive_batches(labels, size, seed=0, epoch=0)
    assert len(batches) == -(-len(labels) // size)
    for rows in batches:
        counts = np.bincount(labels[rows])
        assert np.count_nonzero(counts) in at_once
        assert set(counts[counts > 0]) == {of_each}
    seen = np.bincount(labels[np.concatenate(batches)], minlength=classes)
    assert seen.max() - seen.min() <= of_each


# ---- the loss


def test_the_loss_is_that_of_its_formula() -> None:
    vectors, labels = torch.randn(6, 5), [0, 0, 1, 1, 1, 2]
    pairs = [(one, two) for one in range(6) for two in range(6) if one != two]
    off: dict[bool, list[float]] = {True: [], False: []}
    for one, two in pairs:
        alike = labels[one] == labels[two]
        cosine = float(functional.cosine_similarity(vectors[one], vectors[two], dim=0))
        off[alike].append((cosine - alike) ** 2)
    expected = (np.mean(off[True]) + np.mean(off[False])) / 2
    found = float(contrastive_loss(vectors, torch.tensor(labels)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_smallest_where_classes_are_apart_and_knows_no_length() -> None:
    labels = torch.arange(2).repeat(4)
    apart = functional.one_hot(labels, 3).float()
    mixed = functional.one_hot(torch.arange(8) // 4, 3).float()
    assert float(contrastive_loss(apart * 7, labels)) == pytest.approx(0, abs=1e-6)
    assert float(contrastive_loss(mixed, labels)) > 0.4


def test_rows_of_one_class_alone_have_a_loss_too() -> None:
    loss = contrastive_loss(torch.randn(3, 4), torch.zeros(3, dtype=torch.int64))
    assert 0 < float(loss) < 4


# ---- the phase


def test_the_phase_pulls_classes_apart_and_the_head_is_solved_when_it_ends(
    tiny_bert: Path, tmp_path: Path
) -> None:
    backend = open_backend(tiny_bert)
    first = phase(2, epochs=4, contrastive=True)
    before = weights(backend)
    progress = train(backend, make_plan(first, phase(0, epochs=0)), tmp_path)
    events = read_lines(tmp_path / "events.jsonl")
    losses = [event["loss"] for event in events if event["event"] == "steps"]
    assert losses[-1] < losses[0]
    assert [event["event"] for event in events].count("head_solved") == 1
    assert [each["step"] for each in progress.history] == [12]
    assert any(not np.array_equal(before[name], now) for name, now in weights(backend).items())


def test_what_the_model_saw_before_the_phase_is_seen_anew_after_it(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert)
    before = backend.features("train", 2)
    backend.start_phase(phase(2, contrastive=True))
    backend.train_step([np.arange(16)], rate=1.0, draw=0)
    assert not np.array_equal(backend.features("train", 2), before)


def test_views_are_compared_in_turn_each_with_the_labels_of_its_rows(
    tiny_bert: Path, tmp_path: Path
) -> None:
    views = {"methods": ["swap", "delete"], "views": 2, "strength": 0.2}
    backend = open_backend(tiny_bert, augment=views)
    part, seen = backend.parts["train"], []
    step = backend.train_step
    backend.train_step = lambda rows, **how: seen.append(rows[0]) or step(rows, **how)
    first = phase(2, epochs=2, contrastive=True)
    train(backend, make_plan(first, phase(0, epochs=0), views=2), tmp_path)
    for at, rows in enumerate(seen):
        assert set(rows // part.rows) == {2 * at // len(seen)}
        assert np.bincount(part.targets[rows]).min() >= 2


def test_a_large_batch_is_compared_as_a_whole(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for most in (1 << 16, 20):
        monkeypatch.setattr("tunewright.backends.torch.training.most_tokens", lambda *_, m=most: m)
        backend = open_backend(tiny_bert)
        backend.start_phase(phase(2, contrastive=True))
        losses.append(float(backend.train_step([np.arange(16)], rate=1.0, draw=0)[0]))
    assert losses[0] == losses[1]


# ---- what the head reads


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A model that says it was trained on the mean of its tokens."""
    folder = write_model(tmp_path / "encoder")
    (folder / "1_Pooling").mkdir()
    modes = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    return folder


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "camembert"])
def test_with_a_mean_block_the_head_reads_the_direction_of_the_mean(
    name: str, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / name, name)
    backend = open_backend(folder, adapt={"pooling": "mean"})
    read = backend.features("train", 0)
    plain = AutoModel.from_pretrained(folder)
    lengths = backend.parts["train"].inputs.lengths
    means = []
    with torch.no_grad():
        for row in range(len(lengths)):
            batch = backend.calls.batch("train", np.array([row]))
            means.append(plain(**batch).last_hidden_state[0, : lengths[row]].mean(0))
    expected = functional.layer_norm(torch.stack(means), (32,)).numpy()
    alike = (read * expected).sum(1) / np.linalg.norm(read, axis=1)
    assert alike / np.linalg.norm(expected, axis=1) == pytest.approx(1, abs=5e-3)
    assert backend.num_blocks == 3
    assert "a block that gives the mean of all tokens" in backend.news


def test_a_model_with_a_mean_block_loads_without_tunewright_and_answers_the_same(
    encoder: Path, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "rows.csv", text_rows(45))
    done = run(data, model=str(encoder), settings=FEW)
    assert "pooling: mean" in (done.folder / "recipe.yaml").read_text()
    loaded = pipeline("text-classification", str(done.folder / "model"))
    texts = [text for text, _ in text_rows(45)]
    ours = [answer["label"] for answer in predict(done.folder, lines=texts)]
    assert [answer["label"] for answer in loaded(texts)] == ours


def test_a_mean_is_refused_where_the_model_cannot_have_it(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", text_rows(45))
    folder = write_model(tmp_path / "model", "distilbert")
    with pytest.raises(RecipeError, match=r"adapt\.pooling is mean") as caught:
        run(data, model=str(folder), settings=[*FEW, "adapt.pooling=mean"])
    assert "adapt.pooling" in caught.value.fix


# ---- what is chosen


def test_folds_share_out_every_class_evenly() -> None:
    found = folds(UNEVEN, 0)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(UNEVEN)))
    counts = np.array([np.bincount(UNEVEN[rows], minlength=4) for rows in found])
    assert len(found) == FOLDS
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


def test_only_what_is_worse_by_more_than_chance_speaks_against_the_phase() -> None:
    right, wrong = np.ones(20, bool), np.zeros(20, bool)
    assert speaks_for(wrong, right)
    assert speaks_for(right, right)
    assert not speaks_for(right, wrong)
    one_lost = right.copy()
    one_lost[0] = False
    assert speaks_for(right, one_lost)
    two_lost = one_lost.copy()
    two_lost[1] = False
    assert not speaks_for(right, two_lost)


def chosen(data: Path, model: Path, *settings: str) -> tuple[Any, dict[str, str]]:
    """The resolved recipe, and the reason beside each key of its last level."""
    done = run(data, model=str(model), until="adapt", settings=[*FEW, *settings])
    written = done.folder / "recipe.yaml"
    lines = [line.strip().partition(": ") for line in written.read_text().splitlines()]
    return load_recipe(written), {key: value.partition("# ")[2] for key, _, value in lines}


def test_few_rows_are_tried_with_and_without_the_phase_and_the_counts_are_written_down(
    tiny_bert: Path, tmp_path: Path
) -> None:
    recipe, why = chosen(write_csv(tmp_path / "rows.csv", text_rows(45)), tiny_bert)
    assert recipe.train.contrastive in ("on", "off")
    assert "training rows left out in turn" in why["contrastive"]
    assert recipe.train.strategy == "probe"
    assert "rows of a class" in why["strategy"]


@pytest.mark.parametrize(
    ("counts", "few"),
    [((64, 64), True), ((64,) * 7, True), ((65, 65), False), ((64,) * 8, False), ((), False)],
)
def test_rows_are_few_up_to_64_of_a_class_and_500_in_all(counts: Any, few: bool) -> None:
    recipe = build_recipe({"task": "text-classification", "backend": "torch"})
    assert (few_rows(recipe, counts) is not None) == few


def test_with_many_rows_nothing_is_tried(tiny_bert: Path, tmp_path: Path) -> None:
    recipe, _ = chosen(write_csv(tmp_path / "rows.csv", text_rows(300)), tiny_bert)
    assert (recipe.train.contrastive, recipe.train.strategy) == ("off", "staged")
    assert recipe.adapt.pooling == "model"


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("train.strategy=head", WHY),
        ("train.epochs=2", WHY),
        ("train.phases=[{blocks: 1}]", WHY),
        ("adapt.method=lora", WHY),
        ("train.accumulate=2", "train.accumulate computes them in parts"),
    ],
)
def test_it_is_left_out_with_a_reason(
    tiny_bert: Path, tmp_path: Path, setting: str, why: str
) -> None:
    recipe, reasons = chosen(write_csv(tmp_path / "rows.csv", text_rows(45)), tiny_bert, setting)
    assert recipe.train.contrastive == "off"
    assert why in reasons["contrastive"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (["train.accumulate=2"], "train.accumulate computes them in parts"),
        (["adapt.method=head"], "adapt.method is head"),
        (["task=text-regression"], "one label each"),
    ],
)
def test_it_is_refused_where_it_cannot_be(
    tiny_bert: Path, tmp_path: Path, settings: list[str], what: str
) -> None:
    rows = [(text, str(len(text))) for text, _ in text_rows(60)]
    data = write_csv(tmp_path / "rows.csv", rows if "regression" in settings[0] else text_rows(60))
    with pytest.raises(RecipeError, match=what) as caught:
        chosen(data, tiny_bert, "train.contrastive=on", *settings)
    assert "train.contrastive" in caught.value.fix


def test_balanced_sampling_is_refused_where_rows_have_no_single_label(
    tiny_bert: Path, tmp_path: Path
) -> None:
    data = write_csv(tmp_path / "rows.csv", [(text, str(len(text))) for text, _ in text_rows(60)])
    with pytest.raises(RecipeError, match="do not have one label each"):
        chosen(data, tiny_bert, "task=text-regression", "train.sampling=balanced")


def test_a_trial_leaves_the_model_as_it_was(tiny_bert: Path, tmp_path: Path) -> None:
    recipe, _ = chosen(write_csv(tmp_path / "rows.csv", text_rows(45)), tiny_bert)
    recipe = recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"contrastive": "auto"})}
    )
    backend = open_backend(tiny_bert)
    before, features = weights(backend), backend.features("train", 1).copy()
    assert "left out in turn" in choose_contrastive(recipe, backend, few=True)[2]
    for name, now in weights(backend).items():
        assert np.array_equal(before[name], now)
    assert np.array_equal(backend.features("train", 1), features)
    assert backend.best == {}
