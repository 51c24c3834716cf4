"""What a step on Keras computes is what the same step on PyTorch does."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("keras_hub") is None:
    pytest.skip("needs the extra tensorflow", allow_module_level=True)

from tiny_models import write_model
from training import open_backend, phase
from tunewright.backends.keras.session import KerasSession
from tunewright.backends.keras.work import gflop_per_token
from tunewright.backends.torch.work import gflop_per_token as torch_gflop_per_token

LORA = {"method": "lora", "rank": 2, "alpha": 4, "adapter_dropout": 0.0}


def both(folder: Path, name: str, **changes: Any) -> tuple[Any, Any]:
    write_model(folder, name)
    keras = open_backend(folder, session=lambda path: KerasSession(path, 1), **changes)
    return keras, open_backend(folder, **changes)


@pytest.mark.parametrize(
    ("name", "adapt"), [("bert", {}), ("gpt2", {}), ("llama", {}), ("bert", LORA)]
)
def test_products_of_a_phase_are_those_of_torch(
    name: str, adapt: dict[str, Any], tmp_path: Path
) -> None:
    keras, torch = both(tmp_path, name, adapt=adapt)
    for blocks in (0, 1, 2):
        plan = phase(blocks)
        torch.start_phase(plan)
        for kept in (False, True):
            learn = keras.made.trainable(blocks)
            ours = gflop_per_token(keras.made, blocks, kept=kept, learn=learn)
            theirs = torch_gflop_per_token(torch.layout, blocks, kept=kept)
            assert ours == pytest.approx(theirs, rel=0.02), (blocks, kept)


def test_a_layer_that_is_used_again_counts_again(tmp_path: Path) -> None:
    found = []
    for count in (1, 2):
        made = open_backend(
            write_model(tmp_path / str(count), "albert", num_hidden_layers=count),
            session=lambda path: KerasSession(path, 1),
        ).made
        found.append(gflop_per_token(made, 1, kept=False, learn=made.trainable(1)))
    assert found[1] == pytest.approx(2 * found[0])


def test_a_phase_tells_the_rate_that_its_products_would_run_at(tmp_path: Path) -> None:
    backend = open_backend(
        write_model(tmp_path, "bert"), session=lambda path: KerasSession(path, 1)
    )
    begun = [backend.start_phase(phase(blocks)) for blocks in (2, 1, 0)]
    assert begun[0].peak_tokens_per_s is not None
    assert begun[1].cached
    # one of two blocks learns, and the other one is kept
    assert begun[1].peak_tokens_per_s == pytest.approx(2 * begun[0].peak_tokens_per_s)
    assert begun[2].peak_tokens_per_s is None  # nothing but the head is computed
