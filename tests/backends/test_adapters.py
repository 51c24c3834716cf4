"""LoRA, rsLoRA and DoRA: what learns, what is saved, and that it is the same whichever way it is asked."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification

from tiny_models import ARCHITECTURES, write_model
from training import LABELS, StopAt, make_loop, make_plan, open_backend, phase, train, weights
from tunewright.backends.folder import quiet
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.backends.torch.predictor import TorchPredictor
from tunewright.errors import RecipeError
from tunewright.train.interrupt import Interrupted
from tunewright.train.loop import Progress

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ["bert", "distilbert", "modernbert", "gpt2", "llama", "qwen2"]
some_architectures = pytest.mark.parametrize("name", NAMES)
both_methods = pytest.mark.parametrize("method", ["lora", "dora"])


def adapt(method: str = "lora", layers: str = "all", **changes: Any) -> dict[str, Any]:
    values = {"rank": 3, "alpha": 6, "adapter_dropout": 0.0}  # as many as labels
    return {"method": method, "layers": layers, **values, **changes}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapted")
    return {name: write_model(root / name, name) for name in ARCHITECTURES}


def steps(backend: TorchClassifier, count: int = 6) -> list[float]:
    return [
        float(backend.train_step([np.arange(at % 3 * 8, at % 3 * 8 + 8)], rate=1.0, draw=at)[0])
        for at in range(count)
    ]


def is_adapter(name: str) -> bool:
    return ".lora_" in name


# ---- what learns


@some_architectures
@both_methods
@pytest.mark.parametrize("layers", ["top-1", "all"])
def test_the_adapters_and_the_head_learn_and_nothing_else(
    name: str, method: str, layers: str, folders: dict[str, Path]
) -> None:
    backend = open_backend(folders[name], 24, adapt=adapt(method, layers))
    before = weights(backend)
    top = 1 if layers == "top-1" else 2
    backend.start_phase(phase(top))
    steps(backend)
    after = weights(backend)
    changed = {n for n in before if not np.array_equal(before[n], after[n])}
    assert {n for n in changed if not is_adapter(n)} <= set(backend.layout.head)
    assert changed & set(backend.layout.head)
    own = {n for n in before if is_adapter(n)}
    assert own == {n for block in backend.layout.in_block for n in block}
    assert {n for n in own if "lora_B" in n} <= changed
    assert [bool(block) for block in backend.layout.in_block] == [top == 2, True]
    asked = {n for n, p in backend.model.named_parameters() if p.requires_grad}
    assert asked == set(after) - backend.fixed == own | set(backend.layout.head)


@some_architectures
def test_every_linear_layer_of_an_adapted_block_has_an_adapter(
    name: str, folders: dict[str, Path]
) -> None:
    plain, backend = (open_backend(folders[name], 8, adapt=a) for a in (None, adapt()))
    matrices = sum(
        dict(plain.model.named_parameters())[weight].ndim == 2
        for block in plain.layout.in_block
        for weight in block
    )
    adapted = [n for n in dict(backend.model.named_parameters()) if "lora_A" in n]
    assert len(adapted) == matrices > 7
    assert type(backend.model) is type(plain.model)


@some_architectures
@both_methods
def test_untrained_adapters_change_no_answer(
    name: str, method: str, folders: dict[str, Path]
) -> None:
    plain = open_backend(folders[name], 8).answers("train")
    adapted = open_backend(folders[name], 8, adapt=adapt(method)).answers("train")
    np.testing.assert_allclose(adapted, plain, atol=1e-6)


def test_the_seed_decides_the_first_weights(folders: dict[str, Path]) -> None:
    torch.manual_seed(1)
    first = weights(open_backend(folders["bert"], 8, adapt=adapt()))
    torch.rand(5)
    again = weights(open_backend(folders["bert"], 8, adapt=adapt()))
    assert all(np.array_equal(first[n], again[n]) for n in first)


def test_the_dropout_of_adapters_is_their_own_and_drawn_by_step(folders: dict[str, Path]) -> None:
    def first(share: float, draw: int) -> float:
        backend = open_backend(folders["llama"], 24, adapt=adapt(adapter_dropout=share))
        backend.start_phase(phase(2))
        steps(backend, 2)  # until then they add nothing
        torch.rand(3)
        return float(backend.train_step([np.arange(8)], rate=0.0, draw=draw)[0])

    assert first(0.5, 7) == first(0.5, 7)
    assert len({first(0.5, 7), first(0.5, 8), first(0.0, 7)}) == 3


def test_a_staged_phase_trains_the_upper_adapters_alone(folders: dict[str, Path]) -> None:
    backend = open_backend(folders["bert"], 24, adapt=adapt())
    before = weights(backend)
    assert backend.start_phase(phase(1), keep=True).cached
    steps(backend)
    lower = backend.layout.in_block[0]
    assert all(np.array_equal(before[n], weights(backend)[n]) for n in lower)


def test_rslora_adds_by_the_root_of_the_rank(folders: dict[str, Path]) -> None:
    """alpha / √rank: 8 over the root of 4 adds what 16 over 4 does."""
    roots, plain = (
        open_backend(folders["llama"], 24, adapt=adapt(method, rank=4, alpha=alpha))
        for method, alpha in (("rslora", 8), ("lora", 16))
    )
    for backend in (roots, plain):
        backend.start_phase(phase(2))
    assert steps(roots) == steps(plain)
    assert "rsLoRA adapters of rank 4" in roots.news


# ---- the frozen prefix


@some_architectures
@both_methods
def test_training_from_the_kept_prefix_gives_the_same_losses_and_weights(
    name: str, method: str, folders: dict[str, Path]
) -> None:
    losses, learned = {}, {}
    for kept in (True, False):
        backend = open_backend(folders[name], 24, dropout="auto", adapt=adapt(method, "top-1"))
        started = backend.start_phase(phase(1), keep=kept)
        assert started.cached == kept, started.reason
        losses[kept], learned[kept] = steps(backend), weights(backend)
    assert losses[True] == pytest.approx(losses[False], abs=1e-5)
    assert len(set(losses[True])) == 6
    for weight, values in learned[True].items():
        np.testing.assert_allclose(values, learned[False][weight], atol=1e-4, err_msg=weight)


# ---- what is saved


def trained(folder: Path, **changes: Any) -> TorchClassifier:
    backend = open_backend(folder, 24, adapt=adapt(**changes))
    backend.start_phase(phase(2, learning_rate=3e-2))
    steps(backend)
    return backend


@pytest.mark.parametrize(
    ("name", "method"),
    [*product(ARCHITECTURES, ["lora", "dora"]), ("bert", "rslora"), ("gpt2", "rslora")],
)
def test_the_saved_model_and_the_saved_adapter_answer_as_the_trained_one(
    name: str, method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    from peft import PeftModel

    backend = trained(folders[name], method=method)
    before = weights(backend)
    backend.save_model(tmp_path / "model")
    answers = backend.answers("validation")
    untrained = open_backend(folders[name], 24, adapt=adapt()).answers("validation")
    assert np.abs(answers - untrained).max() > 1e-2

    merged = TorchPredictor(tmp_path / "model").answers(_texts(8))
    np.testing.assert_allclose(merged, answers, atol=1e-5)
    with quiet():
        plain, info = AutoModelForSequenceClassification.from_pretrained(
            tmp_path / "model", output_loading_info=True
        )
        assert not any(info.values())
        base = AutoModelForSequenceClassification.from_pretrained(
            folders[name],
            num_labels=len(LABELS),
            pad_token_id=backend.reader.padding,
        )
    adapted = PeftModel.from_pretrained(base, tmp_path / "model" / "adapter").eval()
    batch = backend.calls.batch("validation", np.arange(8))
    with torch.no_grad():
        for model in (plain, adapted):
            np.testing.assert_allclose(
                model(**batch).logits.softmax(-1).numpy(), answers, atol=1e-5
            )
    assert all(np.array_equal(before[n], w) for n, w in weights(backend).items())


def _texts(count: int) -> list[str]:
    from tiny_models import text_rows

    return [text for text, _ in text_rows(24 + count)[24:]]


@both_methods
def test_saving_does_not_disturb_a_training_that_goes_on(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    quietly, saved = (trained(folders["bert"], method=method) for _ in range(2))
    saved.save_model(tmp_path / "model")
    assert steps(saved) == steps(quietly)
    saved.save_model(tmp_path / "again")
    answers = TorchPredictor(tmp_path / "again").answers(_texts(8))
    np.testing.assert_allclose(answers, quietly.answers("validation"), atol=1e-5)


def test_the_adapter_folder_holds_adapters_and_head_and_no_pickle(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    backend = trained(folders["bert"], layers="top-1")
    backend.save_model(tmp_path / "model")
    folder = tmp_path / "model" / "adapter"
    assert {p.name for p in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["task_type"], config["r"]) == ("LORA", "SEQ_CLS", 3)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert len(config["target_modules"]) == 6
    assert all("layer.1." in target for target in config["target_modules"])
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        names = set(file.keys())
    assert len(names) == 2 * 6 + len(backend.layout.head)


# ---- checkpoints


PLAN = make_plan(phase(0, epochs=0), phase(1, epochs=1), phase(2, epochs=2))


@pytest.mark.parametrize("stop_at", [6, 11])
def test_stopped_and_resumed_equals_never_stopped(
    stop_at: int, folders: dict[str, Path], tmp_path: Path
) -> None:
    """DoRA; LoRA goes through contract/."""

    def opened() -> TorchClassifier:
        chosen = adapt("dora", adapter_dropout=0.1)
        return open_backend(folders["bert"], dropout=0.1, adapt=chosen)

    whole, stopped, fresh = opened(), opened(), opened()
    train(whole, PLAN, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(stopped, PLAN, tmp_path / "run", stop=StopAt(stopped, stop_at))
    loop = make_loop(fresh, PLAN, tmp_path / "run")
    saved = loop.checkpoints.resume()
    assert saved is not None
    assert saved["step"] == stop_at
    fresh.load_state(loop.checkpoints.resumed_from())
    loop.run(Progress.from_json(saved))
    loop.events.close()
    assert all(np.array_equal(w, weights(fresh)[n]) for n, w in weights(whole).items())


def test_a_checkpoint_holds_what_may_learn_and_no_frozen_weight(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    backend = trained(folders["bert"])
    backend.keep_best()
    backend.save_state(tmp_path)
    assert len(backend.fixed) > 20
    for name in ("weights", "best"):
        with safe_open(tmp_path / f"{name}.safetensors", "pt") as file:
            assert not set(file.keys()) & backend.fixed
            assert set(file.keys()) >= set(weights(backend)) - backend.fixed


# ---- refusals


@pytest.mark.parametrize("method", ["full", "lora"])
def test_more_blocks_than_the_model_has_are_refused(method: str, folders: dict[str, Path]) -> None:
    chosen = adapt(layers="top-40") if method == "lora" else {"layers": "top-40"}
    with pytest.raises(
        RecipeError, match=r"adapt\.layers is top-40, the model has 2 blocks"
    ) as told:
        open_backend(folders["gpt2"], 8, adapt=chosen)
    assert told.value.fix == "write top-2 or less, or all"
