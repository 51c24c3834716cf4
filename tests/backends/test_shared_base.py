"""Adapters of one base share its weights, and each answers as its merged folder does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tiny_chats import open_language, write_chat_model
from training import phase
from tunewright.backends.adapter_folder import holds_adapters_alone
from tunewright.backends.torch.row_writer import RowWriter
from tunewright.backends.torch.shared_base import SharedBase
from tunewright.backends.torch.writer import TorchWriter
from tunewright.errors import ModelError

IDS = [5, 90, 33, 120, 64]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "llama")


def trained(base: Path, folder: Path, method: str, draw: int) -> Path:
    backend = open_language(
        base, adapt={"method": method, "rank": 4, "alpha": 8, "adapter_dropout": 0.0}
    )
    backend.start_phase(phase(2, learning_rate=1e-2))
    for at in range(3):
        backend.train_step([np.arange(at * 16, at * 16 + 16)], rate=1.0, draw=draw + at)
    backend.save_model(folder)
    return folder


def scores(writer: RowWriter) -> torch.Tensor:
    rows = writer.rows()
    rows.add()
    return writer.read(rows, [IDS])


def test_adapters_of_one_base_answer_as_their_merged_folders(base: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    runs = {
        name: trained(base, tmp_path / name, name, n) for n, name in enumerate(("lora", "dora"))
    }
    shared = SharedBase(base)
    writers = {name: shared.adapted(run / "adapter", run) for name, run in runs.items()}
    writers["base"] = shared.plain()
    alone = {name: RowWriter(TorchWriter(run)) for name, run in (*runs.items(), ("base", base))}
    assert len({id(writer.model) for writer in writers.values()}) == 1
    for name in ("lora", "base", "dora", "lora", "base"):
        torch.testing.assert_close(scores(writers[name]), scores(alone[name]), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(scores(writers["lora"]), scores(writers["base"]), atol=1e-2)
    assert not torch.allclose(scores(writers["lora"]), scores(writers["dora"]), atol=1e-2)


def test_adapters_of_another_model_are_refused(base: Path, tmp_path: Path) -> None:
    run = trained(base, tmp_path / "run", "lora", 1)
    other = write_chat_model(tmp_path / "other", "gpt2")
    with pytest.raises(ModelError, match="not for the model"):
        SharedBase(other).adapted(run / "adapter", run)


def test_a_folder_says_whether_it_has_adapters_alone(base: Path, tmp_path: Path) -> None:
    run = trained(base, tmp_path / "run", "lora", 1)
    assert holds_adapters_alone(run / "adapter")
    file = run / "adapter" / "adapter_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"trainable_token_indices": {"embed_tokens": [3]}}))
    assert not holds_adapters_alone(run / "adapter")
    assert not holds_adapters_alone(tmp_path)
