"""LoRA in Keras: the numbers, steps, names and files are those of PEFT on PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

import torch
from safetensors.numpy import load_file
from test_same_as_torch import in_keras, take_steps, write
from transformers import AutoModelForSequenceClassification

from tiny_models import text_rows
from training import LABELS, open_backend, phase, weights
from tunewright.backends.folder import quiet
from tunewright.backends.keras.classifier import KerasClassifier
from tunewright.backends.torch.predictor import TorchPredictor

LORA: dict[str, Any] = {
    "method": "lora",
    "layers": "all",
    "rank": 3,
    "alpha": 6,
    "adapter_dropout": 0.0,
}
Steps = list[tuple[float, float]]


@dataclass(frozen=True)
class Side:
    """A backend after 20 steps, its answers before them, and their losses and gradient norms."""

    backend: Any
    untrained: np.ndarray
    steps: Steps


@dataclass(frozen=True)
class Both:
    """One folder trained with adapters by both backends."""

    folder: Path
    keras: Side
    torch: Side


def new_folder(path: Path) -> Path:
    path.mkdir()
    return path


def trained(backend: Any) -> Side:
    untrained = backend.answers("train")
    return Side(backend, untrained, take_steps(backend, 2))


@pytest.fixture(
    scope="module",
    params=["bert", "gpt2", pytest.param("llama", marks=pytest.mark.slow)],
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = write(tmp_path_factory.mktemp("models") / request.param, request.param)
    in_torch = open_backend(folder, 24, adapt=LORA)
    return Both(folder, trained(in_keras(folder, adapt=LORA)), trained(in_torch))


def test_untrained_adapters_change_no_answer(both: Both) -> None:
    plain = open_backend(both.folder, 24).answers("train")
    np.testing.assert_allclose(both.keras.untrained, plain, atol=1e-6)


def test_the_steps_are_those_of_peft(both: Both) -> None:
    np.testing.assert_allclose(both.keras.steps, both.torch.steps, rtol=2e-5)


def test_the_same_weights_learn_and_a_checkpoint_holds_them_alone(
    both: Both, tmp_path: Path
) -> None:
    keras, theirs = both.keras.backend, both.torch.backend
    assert keras.news == theirs.news
    assert (keras.parameters, keras.num_blocks) == (theirs.parameters, theirs.num_blocks)
    learned = {name: w for name, w in weights(theirs).items() if name not in theirs.fixed}
    keras.save_state(tmp_path)
    saved = load_file(tmp_path / "weights.safetensors")
    assert set(saved) == set(learned)
    assert sum("lora_A" in name for name in saved) > 7
    for name in saved:
        if "lora" in name:
            np.testing.assert_allclose(saved[name], learned[name], atol=1e-4, err_msg=name)


def test_the_saved_model_and_the_saved_adapter_answer_as_the_trained_one(
    both: Both, tmp_path: Path
) -> None:
    from peft import PeftModel

    keras: KerasClassifier = both.keras.backend
    answers = keras.answers("train")
    assert np.abs(answers - both.keras.untrained).max() > 1e-2
    keras.save_model(tmp_path / "model")
    predictor = TorchPredictor(tmp_path / "model")
    merged = predictor.answers([text for text, _ in text_rows(24)])
    np.testing.assert_allclose(merged, answers, atol=1e-5)
    with quiet():
        base = AutoModelForSequenceClassification.from_pretrained(
            both.folder, num_labels=len(LABELS), pad_token_id=predictor.reader.padding
        )
    adapted = PeftModel.from_pretrained(base, tmp_path / "model" / "adapter").eval()
    batch, _ = keras.first_answers()
    with torch.no_grad():
        given = {name: torch.from_numpy(array) for name, array in batch.items()}
        found = adapted(**given).logits.softmax(-1).numpy()
    np.testing.assert_allclose(found, answers[: len(found)], atol=1e-5)


@pytest.mark.slow
def test_a_phase_trains_the_upper_adapters_alone_over_what_the_lower_ones_learned(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path, "bert")
    keras, theirs = in_keras(folder, adapt=LORA), open_backend(folder, 24, adapt=LORA)
    untrained = keras.frozen.content_key(1)
    keras.save_state(before := new_folder(tmp_path / "before"))
    np.testing.assert_allclose(take_steps(keras, 1), take_steps(theirs, 1), rtol=2e-5)
    assert keras.frozen.prefix is not None
    keras.save_state(after := new_folder(tmp_path / "after"))
    old, new = (load_file(each / "weights.safetensors") for each in (before, after))
    changed = {name for name in old if not np.array_equal(old[name], new[name])}
    assert {".layer.1." in name for name in changed if "lora" in name} == {True}
    assert keras.frozen.content_key(1) == untrained
    lower = next(name for name in old if ".layer.0." in name)
    keras.may_learn[lower].assign(old[lower] + 1)
    assert keras.frozen.content_key(1) != untrained


@pytest.mark.slow
def test_adapters_drop_by_step_and_a_saved_training_goes_on_as_it_was(tmp_path: Path) -> None:
    """All laws of contract/ hold for LoRA on Keras in `make proof`."""
    folder = write(tmp_path / "model", "bert")
    backend, resumed = (in_keras(folder, adapt=LORA | {"adapter_dropout": 0.5}) for _ in range(2))
    take_steps(backend, 1)  # until then adapters add nothing
    backend.save_state(saved := new_folder(tmp_path / "saved"))
    resumed.load_state(saved)
    resumed.start_phase(phase(1))

    def loss(of: KerasClassifier, draw: int, rate: float) -> float:
        return float(of.train_step([np.arange(8)], rate=rate, draw=draw)[0])

    assert [loss(backend, n, 1.0) for n in range(3)] == [loss(resumed, n, 1.0) for n in range(3)]
    np.testing.assert_array_equal(backend.answers("train"), resumed.answers("train"))
    once, again, other = (loss(backend, draw, 0.0) for draw in (7, 7, 8))
    assert once == again != other
