"""What holds for every training: where it starts, what decides it, how it ends."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tiny_models import text_rows
from training import LABELS, make_loop, make_plan, open_backend, phase, train, weights
from tunewright.backends.torch import training
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.backends.torch.embedding import UsedRows
from tunewright.errors import FailedRunError, RecipeError
from tunewright.recipe.schema import Train
from tunewright.train.batches import draw_key, epoch_batches, in_parts
from tunewright.train.loop import Progress
from tunewright.train.phases import deepest, plan_phases, refuse_idle_adapters
from tunewright.train.schedule import rate_at_step
from tunewright.train.stopping import Best, noise_of

pytestmark = pytest.mark.usefixtures("one_thread")


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[n], two[n]) for n in one)


# ---- the first loss


def test_an_untrained_model_begins_near_the_loss_of_guessing(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert)
    backend.start_phase(phase(2))
    loss, _ = backend.train_step([np.arange(48)], rate=0.0, draw=0)
    assert float(loss) == pytest.approx(math.log(len(LABELS)), abs=0.1)


# ---- accumulation


@pytest.mark.parametrize("settings", [{}, {"class_weights": "balanced", "label_smoothing": 0.1}])
def test_one_part_of_eight_rows_equals_eight_parts_of_one(
    tiny_bert: Path, settings: dict[str, Any]
) -> None:
    losses, trained = {}, {}
    for parts in (1, 8):
        backend = open_backend(tiny_bert, **settings)
        backend.start_phase(phase(2))
        losses[parts] = [
            [float(x) for x in backend.train_step(in_parts(rows, parts), rate=1.0, draw=at)]
            for at in range(4)
            for rows in [np.arange(at * 8, at * 8 + 8)]
        ]
        trained[parts] = weights(backend)
    np.testing.assert_allclose(losses[1], losses[8], rtol=1e-4)
    for name, tensor in trained[1].items():
        np.testing.assert_allclose(tensor, trained[8][name], atol=2e-4, err_msg=name)


def test_a_step_of_many_tokens_goes_through_the_model_in_pieces(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(most: int) -> tuple[float, dict[str, np.ndarray]]:
        monkeypatch.setattr(training, "most_tokens", lambda *_: most)
        backend = open_backend(tiny_bert)
        backend.start_phase(phase(2))
        loss, _ = backend.train_step([np.arange(16)], rate=1.0, draw=0)
        return float(loss), weights(backend)

    whole, pieces = step(1 << 16), step(20)
    assert pieces[0] == pytest.approx(whole[0], abs=1e-5)
    for name, weight in whole[1].items():
        assert np.allclose(weight, pieces[1][name], atol=1e-3), name


def test_a_last_batch_smaller_than_the_parts_is_split_into_parts_with_rows() -> None:
    assert [len(part) for part in in_parts(np.arange(3), 8)] == [1, 1, 1]
    assert np.concatenate(in_parts(np.arange(21), 4)).tolist() == list(range(21))


# ---- order and draws


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = np.random.default_rng(0).integers(3, 40, 1000)

    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(lengths, 16, seed=seed, epoch=epoch)).tolist()

    np.random.default_rng(1).random(100)
    first = order(0, 0)
    np.random.seed(5)
    assert order(0, 0) == first
    assert sorted(first) == list(range(1000))
    assert order(1, 0) != first != order(0, 1)
    assert order(1, 0) != order(0, 1)


def test_a_batch_holds_rows_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(3, 200, 2000)
    batches = epoch_batches(lengths, 16, seed=0, epoch=0)
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded < 1.1 * lengths.sum()


def test_draws_are_the_same_on_every_machine() -> None:
    assert draw_key("step", 0, 1) == 3851727178861123200
    assert draw_key("a", 12) != draw_key("a1", 2) != draw_key("a", 1, 2)


def test_dropout_is_decided_by_the_step_alone(tiny_bert: Path) -> None:
    rows = np.arange(8)
    backend = open_backend(tiny_bert, dropout=0.3)
    backend.start_phase(phase(2))
    first = float(backend.train_step([rows], rate=0.0, draw=7)[0])
    torch.rand(17)
    backend.answers("validation")
    other = float(backend.train_step([rows], rate=0.0, draw=8)[0])
    again = float(backend.train_step([rows], rate=0.0, draw=7)[0])
    assert first == again != other


def test_the_same_seed_trains_the_same_weights_and_another_seed_does_not(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setattr(TorchClassifier, "restore_best", lambda self: None)
    for index, seed in enumerate((0, 0, 1)):
        backend = open_backend(tiny_bert, dropout=0.1)
        train(backend, make_plan(phase(2, epochs=1), seed=seed), tmp_path / str(index))
        found.append(weights(backend))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


# ---- stopping, the best point


class Scripted:
    """A backend without a model; validation answers follow a script, one value each."""

    num_blocks = 2

    def __init__(self, values: list[float], rows: int = 16) -> None:
        self.values, self.rows = list(values), rows
        self.log: list[tuple[Any, ...]] = []
        self.losses: dict[int, float] = {}
        self.steps = 0

    def solve_head(self, blocks: int) -> float:
        self.log.append(("solve",))
        return 0.0

    def start_phase(self, phase: Any, *, keep: bool | None = None) -> Any:
        from tunewright.backends.base import PhaseStart

        self.log.append(("start", phase.name))
        return PhaseStart(10, None, False, 0.0, 0.0, 0.0, "scripted")

    def train_step(self, parts: Any, *, rate: float, draw: int) -> tuple[float, float]:
        self.log.append(("step", round(rate, 6), [p.tolist() for p in parts], draw))
        self.steps += 1
        return self.losses.get(self.steps, 1.0), 1.0

    def answers(self, part: str) -> np.ndarray:
        return np.array([[self.values.pop(0) if self.values else 0.0]])

    def keep_best(self) -> None:
        self.log.append(("keep", self.steps))

    def restore_best(self) -> None:
        self.log.append(("restore", self.steps))

    def state_bytes(self) -> int:
        return 1000

    def save_state(self, folder: Path) -> None:
        (folder / "weights").write_text(str(self.steps))


def scripted_loop(backend: Scripted, folder: Path, *phases: Any, **changes: Any) -> Any:
    plan = make_plan(*phases, metric="m", higher_is_better=True, **changes)
    backend.parts = {"validation": type("P", (), {"targets": np.zeros(1)})}
    return make_loop(
        backend,
        plan,
        folder,
        lengths=np.full(backend.rows, 5),
        measure=lambda p: {"m": float(p[0, 0]), "accuracy": 0.0},
    )


def test_a_phase_ends_after_so_many_evaluations_without_gain(tmp_path: Path) -> None:
    backend = Scripted([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    loop = scripted_loop(backend, tmp_path, phase(2, epochs=9, patience=3))
    progress = loop.run(Progress())
    assert progress.best.value == 0.5
    assert progress.best.step == 2  # two steps an epoch; the tie at step 6 keeps the earlier
    assert progress.step == 8
    assert [entry for entry in backend.log if entry[0] in ("keep", "restore")] == [
        ("keep", 0),
        ("keep", 2),
        ("restore", 8),
    ]
    loop.events.close()


def test_every_phase_ends_at_the_best_point_and_the_next_begins_there(tmp_path: Path) -> None:
    backend = Scripted([0.1, 0.6, 0.2, 0.3, 0.7])
    loop = scripted_loop(backend, tmp_path, phase(1, epochs=2), phase(2, epochs=2))
    progress = loop.run(Progress())
    names = [entry[0] for entry in backend.log if entry[0] != "step"]
    assert names == ["solve", "start", "keep", "keep", "restore", "start", "keep", "restore"]
    assert [r["best_step"] for r in progress.records] == [2, 8]
    loop.events.close()


def test_a_later_phase_that_never_gains_gives_back_the_earlier_best(
    tiny_bert: Path, tmp_path: Path
) -> None:
    backend = open_backend(tiny_bert)
    scores = iter([0.0, 0.9, 0.1, 0.1])
    kept: list[dict[str, np.ndarray]] = []

    def measure(_: np.ndarray) -> dict[str, float]:
        value = next(scores)
        if value == 0.9:
            kept.append(weights(backend))
        return {"m": value, "accuracy": 0.0}

    plan = make_plan(phase(1, epochs=1), phase(2, epochs=2), metric="m", higher_is_better=True)
    train(backend, plan, tmp_path, measure=measure)
    assert same(weights(backend), kept[0])


def test_patience_counts_anew_in_each_phase() -> None:
    best = Best(0.5, 3, 2)
    assert best.after(0.5, 4, higher_is_better=True) == Best(0.5, 3, 3)
    assert best.after(0.4, 4, higher_is_better=False) == Best(0.4, 4, 0)
    assert not Best(0.5, 3, 99).exhausted(0)


def test_within_the_noise_of_the_highest_value_the_later_weights_are_kept() -> None:
    best = Best(0.96, 16, 1)
    noisy = {"higher_is_better": True, "noise": 0.01}
    assert best.after(0.955, 32, **noisy) == Best(0.96, 32, 2)
    assert best.after(0.955, 32, **noisy).after(0.951, 48, **noisy) == Best(0.96, 48, 3)
    assert best.after(0.94, 32, **noisy) == Best(0.96, 16, 2)
    assert best.after(0.97, 32, **noisy) == Best(0.97, 32, 0)
    assert noise_of({"accuracy": 0.5}, "macro_f1", 100) == pytest.approx(0.05)
    assert noise_of({"accuracy": 0.5}, "log_loss", 100) == 0.0


def test_patience_is_over_after_so_many_evaluations() -> None:
    assert Best(0.5, 3, 2).exhausted(2)


# ---- the schedule


@pytest.mark.parametrize("shape", ["linear", "cosine", "constant"])
def test_the_rate_rises_then_falls_and_is_never_zero_or_above_one(shape: str) -> None:
    for steps in (1, 2, 7, 100):
        for warmup in (0.0, 0.1, 0.9):
            rates = [rate_at_step(s, steps, warmup=warmup, shape=shape) for s in range(steps)]
            assert all(0 < rate <= 1 for rate in rates)
            assert max(rates) == 1
            top = rates.index(1)
            assert rates[:top] == sorted(rates[:top])
            assert rates[top:] == sorted(rates[top:], reverse=True)


def test_the_schedule_goes_through_all_phases_once(tmp_path: Path) -> None:
    backend = Scripted([], rows=32)
    loop = scripted_loop(backend, tmp_path, phase(2, epochs=1), phase(2, epochs=2), warmup=0.25)
    loop.run(Progress())
    rates = [entry[1] for entry in backend.log if entry[0] == "step"]
    expected = [rate_at_step(s, 12, warmup=0.25, shape="linear") for s in range(12)]
    assert rates == pytest.approx(expected, abs=1e-6)
    rows = [row for entry in backend.log[:] if entry[0] == "step" for p in entry[2] for row in p]
    assert sorted(rows) == sorted(list(range(32)) * 3)
    loop.events.close()


# ---- what stops a training


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_names_the_rows(tmp_path: Path, bad: float) -> None:
    backend = Scripted([], rows=160)
    backend.losses = {13: bad}
    loop = scripted_loop(backend, tmp_path, phase(2, epochs=1))
    with pytest.raises(FailedRunError) as caught:
        loop.run(Progress())
    assert caught.value.exit_code == 1
    rows = [entry for entry in backend.log if entry[0] == "step"][12][2][0]
    assert f"line {rows[0] + 2} of rows.csv" in caught.value.what
    assert "step 12" in caught.value.what
    loop.events.close()
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "not_finite"
    assert events[-1]["rows"] == rows


def test_a_real_model_with_a_huge_rate_stops_instead_of_going_on(
    tiny_bert: Path, tmp_path: Path
) -> None:
    backend = open_backend(tiny_bert, clip=0)
    wild = phase(2, learning_rate=1e30, head_learning_rate=1e30, epochs=3)
    with pytest.raises(FailedRunError, match="not a finite number"):
        train(backend, make_plan(wild), tmp_path)


def test_answers_that_are_no_numbers_stop_before_they_are_judged(tmp_path: Path) -> None:
    backend = Scripted([0.5, float("nan")])
    loop = scripted_loop(backend, tmp_path, phase(2, epochs=1))
    with pytest.raises(FailedRunError, match="not finite numbers at step 2"):
        loop.run(Progress())
    loop.events.close()


# ---- settings that change the loss


def first_step(folder: Path, **settings: Any) -> float:
    backend = open_backend(folder, rows=text_rows(30) + text_rows(64)[40:], **settings)
    backend.start_phase(phase(2))
    return float(backend.train_step([np.arange(24)], rate=1.0, draw=3)[0])


def test_label_smoothing_and_dropout_take_effect(tiny_bert: Path) -> None:
    plain = first_step(tiny_bert)
    assert first_step(tiny_bert) == plain
    assert first_step(tiny_bert, label_smoothing=0.2) != plain
    dropped = first_step(tiny_bert, dropout=0.4)
    assert dropped != plain
    assert dropped != first_step(tiny_bert, dropout=0.1)
    assert first_step(tiny_bert, dropout="model") != plain


def test_label_smoothing_is_that_of_the_formula(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, label_smoothing=0.2)
    backend.start_phase(phase(2))
    chances = np.log(backend.answers("train")[:24])
    right = chances[np.arange(24), backend.parts["train"].targets[:24]]
    expected = -(0.8 * right + 0.2 * chances.mean(1)).mean()
    loss, _ = backend.train_step([np.arange(24)], rate=0.0, draw=0)
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_balanced_weights_give_every_label_the_same_say(tiny_bert: Path) -> None:
    rows = [row for row in text_rows(90) if row[1] == LABELS[0]][:24]
    rows += [row for row in text_rows(90) if row[1] == LABELS[1]][:6]
    backend = open_backend(
        tiny_bert, rows=rows + text_rows(99)[90:], count=30, class_weights="balanced"
    )
    table = backend.label_weights
    assert table is not None
    assert table[:2].tolist() == pytest.approx([30 / (2 * 24), 30 / (2 * 6)])
    labels = backend.parts["train"].targets
    assert table[labels].sum() == pytest.approx(30)
    backend.start_phase(phase(2))
    chances = backend.answers("train")
    losses = -np.log(chances[np.arange(30), labels])
    by_label = np.mean([losses[labels == 0].mean(), losses[labels == 1].mean()])
    loss, _ = backend.train_step([np.arange(30)], rate=0.0, draw=0)
    assert float(loss) == pytest.approx(by_label, abs=1e-5)


def test_each_depth_learns_at_its_own_rate(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert)
    backend.start_phase(phase(2, learning_rate=1e-3, head_learning_rate=1e-2, layer_decay=0.5))
    assert backend.optimizer is not None
    rates = {
        id(p): group["lr"] for group in backend.optimizer.param_groups for p in group["params"]
    }
    named = dict(backend.model.named_parameters())
    assert rates[id(named["classifier.weight"])] == 1e-2
    assert rates[id(named["bert.encoder.layer.1.output.dense.weight"])] == 1e-3
    assert rates[id(named["bert.encoder.layer.0.output.dense.weight"])] == 5e-4
    assert rates[id(named["bert.embeddings.word_embeddings.weight"])] == 2.5e-4
    decays = {
        id(p): group["weight_decay"]
        for group in backend.optimizer.param_groups
        for p in group["params"]
    }
    assert decays[id(named["classifier.weight"])] == 0.01
    assert decays[id(named["bert.embeddings.LayerNorm.weight"])] == 0.0


# ---- phases


def chosen(**keys: Any) -> Train:
    numbers = {
        "epochs": 4,
        "learning_rate": 1e-4,
        "head_learning_rate": 1e-3,
        "layer_decay": 0.9,
        "early_stopping": 3,
    }
    return Train.model_validate(numbers | keys)


def test_strategies_become_phases() -> None:
    assert [p.blocks for p in plan_phases(chosen(strategy="full"), 6)] == [6]
    assert [p.blocks for p in plan_phases(chosen(strategy="head"), 6)] == [0]
    staged = plan_phases(chosen(), 6)
    assert staged[0].blocks == 0
    assert staged[-1].blocks == 6
    assert [p.blocks for p in staged] == [0, 4, 6]
    assert staged[-1].epochs == 4


def test_phases_by_hand_keep_what_was_asked_and_fill_in_the_rest() -> None:
    asked = [{"blocks": 0, "epochs": 1}, {"blocks": 3, "learning_rate": 2e-4}, {"blocks": "all"}]
    plan = plan_phases(chosen(phases=asked), 6)
    assert [(p.blocks, p.epochs) for p in plan] == [(0, 1), (3, 4), (6, 4)]
    assert plan[1].learning_rate == 2e-4
    assert plan[1].head_learning_rate == pytest.approx(2e-3)  # the ratio stays
    with pytest.raises(RecipeError, match=r"train\.phases\.0 asks for 7 blocks, the model has 6"):
        plan_phases(chosen(phases=[{"blocks": 7}]), 6)


def test_layers_that_may_not_learn_are_in_no_phase() -> None:
    assert [deepest(layers, 6) for layers in (None, "top-4", "top-6", "all")] == [0, 4, 6, 6]
    staged = plan_phases(chosen(), 6, 3)
    assert [(p.blocks, p.name) for p in staged] == [
        (0, "head"),
        (2, "top 2 blocks"),
        (3, "top 3 blocks"),
    ]
    assert [p.blocks for p in plan_phases(chosen(phases=[{}]), 6, 3)] == [3]
    with pytest.raises(RecipeError, match=r"train\.phases\.1 asks for 4 blocks, adapt\.layers is"):
        plan_phases(chosen(phases=[{"blocks": 1}, {"blocks": 4}]), 6, 3)


def test_adapters_that_no_phase_trains_are_refused() -> None:
    plan = plan_phases(chosen(phases=[{"blocks": 2}]), 6, 4)
    with pytest.raises(RecipeError, match="the top 4 blocks get adapters") as told:
        refuse_idle_adapters(plan, 4)
    assert told.value.fix == "write adapt.layers: top-2, or give a phase blocks: all"


# ---- embedding tables

USED = np.array([0, 3, 7, 49])


def tables() -> tuple[nn.Embedding, UsedRows]:
    torch.manual_seed(0)
    plain = nn.Embedding(50, 8, padding_idx=0)
    table = nn.Embedding(50, 8, padding_idx=0)
    table.load_state_dict(plain.state_dict())
    UsedRows.take_over(table, USED)
    assert isinstance(table, UsedRows)
    return plain, table


def test_the_gradient_of_used_rows_is_that_of_an_embedding() -> None:
    plain, table = tables()
    compact = table.gather()
    ids = torch.tensor([[3, 0, 3], [7, 49, 3]])
    scale = torch.randn(2, 3, 8)
    for each in (plain, table):
        (each(ids) * scale).sum().backward()
        (each(ids[:1]) * scale[:1]).sum().backward()
    assert plain.weight.grad is not None
    assert compact.grad is not None
    assert torch.allclose(plain.weight.grad[USED], compact.grad, atol=1e-6)
    assert (compact.grad[0] == 0).all()  # padding never learns
    assert table.weight.grad is None


def test_adamw_moves_used_rows_as_it_moves_an_embedding_and_no_other_row() -> None:
    plain, table = tables()
    before = table.weight.detach().clone()
    draw = torch.Generator().manual_seed(1)
    settings = {"lr": 0.1, "weight_decay": 0.01}
    optimizers = [
        torch.optim.AdamW([plain.weight], **settings),
        torch.optim.AdamW([table.gather()], **settings),
    ]
    for _ in range(12):
        ids = torch.from_numpy(USED)[torch.randint(0, 4, (4, 5), generator=draw)]
        target = torch.randn(4, 5, 8, generator=draw)
        for each, optimizer in zip((plain, table), optimizers, strict=True):
            (each(ids) - target).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        table.write_back()
    unused = np.setdiff1d(np.arange(50), USED)
    assert torch.allclose(plain.weight[USED], table.weight[USED], atol=1e-6)
    assert torch.equal(table.weight[unused], before[unused])
    table.eval()
    assert torch.equal(table(ids), functional.embedding(ids, table.weight))


def test_a_frozen_or_evaluated_table_is_read_as_ever() -> None:
    plain, table = tables()
    ids = torch.tensor([1, 2])
    table.weight.requires_grad_(False)
    assert torch.equal(table(ids), plain(ids))
    assert not table(ids).requires_grad


def test_a_token_that_no_training_text_holds_is_an_error_in_training_not_a_wrong_row() -> None:
    _, table = tables()
    table.gather()
    with pytest.raises(IndexError):
        table(torch.tensor([1]))
