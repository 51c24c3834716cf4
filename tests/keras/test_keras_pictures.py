"""Picture models in Keras: the answers and steps of PyTorch, and the way back."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

from picture_models import open_pictures, picture_rows, write_picture_model
from training import make_plan, phase, train
from tunewright.backends.keras.export import export
from tunewright.backends.keras.session import KerasSession
from tunewright.backends.torch.predictor import TorchPredictor
from tunewright.errors import ModelError
from tunewright.train.batches import epoch_batches

# of losses and gradient norms; positions do not learn in KerasHub's DINOv2
APART = {"vit": 3e-3, "deit": 2e-2, "dinov2": 5e-2, "swin": 3e-3}


def in_keras(model: Path, folder: Path, **changes: Any) -> Any:
    return open_pictures(
        model, folder, session=lambda path: KerasSession(path, 1, "image"), **changes
    )


def take_steps(backend: Any, blocks: int, steps: int = 12) -> list[tuple[float, float]]:
    """All blocks learn at one rate: DeiT has fewer, larger ones in KerasHub."""
    backend.start_phase(phase(blocks, epochs=2, layer_decay=1.0))
    lengths = backend.parts["train"].inputs.lengths
    batches = [b for e in range(9) for b in epoch_batches(lengths, 8, seed=0, epoch=e)][:steps]
    found = (backend.train_step([b], rate=0.2, draw=i) for i, b in enumerate(batches))
    return [(float(loss), float(norm)) for loss, norm in found]


@pytest.mark.parametrize(
    "name",
    [name if name == "vit" else pytest.param(name, marks=pytest.mark.slow) for name in APART],
)
def test_answers_and_steps_are_those_of_torch(name: str, tmp_path: Path) -> None:
    model = write_picture_model(tmp_path / "model", name)
    keras, torch = (open_it(model, tmp_path / "rows") for open_it in (in_keras, open_pictures))
    assert keras.parameters == torch.parameters
    for part in ("train", "validation"):
        np.testing.assert_allclose(keras.answers(part), torch.answers(part), atol=1e-5)
    theirs, ours = take_steps(torch, torch.num_blocks), take_steps(keras, keras.num_blocks)
    np.testing.assert_allclose(ours, theirs, rtol=APART[name])
    keras.save_model(tmp_path / "back")
    texts = picture_rows(tmp_path / "rows", 24).texts
    back = TorchPredictor(tmp_path / "back").answers(texts)
    np.testing.assert_allclose(back, keras.answers("train"), atol=1e-4)
    (tmp_path / "out").mkdir()
    assert export(tmp_path / "back", "savedmodel", tmp_path / "out", texts[:4], None) < 1e-4


def test_a_model_that_keras_does_not_know_is_refused(tmp_path: Path) -> None:
    model = write_picture_model(tmp_path / "model", "beit")
    with pytest.raises(ModelError, match="cannot classify with a model of the type beit"):
        in_keras(model, tmp_path / "rows")


@pytest.mark.slow
def test_of_frozen_blocks_what_the_head_reads_is_kept(tmp_path: Path) -> None:
    model = write_picture_model(tmp_path / "model", "vit")
    losses = []
    for cache in ("off", 1.0):
        backend = in_keras(model, tmp_path / "rows", cache=cache)
        plan = make_plan(phase(0, epochs=0), phase(0, epochs=2), phase(1, epochs=2))
        progress = train(backend, plan, tmp_path / f"run{cache}")
        losses.append([entry["log_loss"] for entry in progress.history])
    assert [record["cached"] for record in progress.records] == [True, True, True]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    backend.start_phase(phase(0), keep=True)
    assert backend.frozen.prefix.read("train", np.arange(3)).shape == (3, 1, 32)
