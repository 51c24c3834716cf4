"""Weights in a mapped file: the same numbers, trained the same, and out of memory when unused."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tiny_models import ARCHITECTURES, text_rows, write_model
from training import make_plan, open_backend, phase, train, weights
from tunewright.backends.torch import mapped as mapped_weights
from tunewright.backends.torch import session
from tunewright.backends.torch.classifier import TorchClassifier
from tunewright.backends.torch.mapped import MappedWeights, map_weights
from tunewright.backends.torch.predictor import TorchPredictor

ENDLESS = 1 << 40
MIB = 1 << 20
LORA: dict[str, Any] = {
    "method": "lora",
    "layers": "top-1",
    "rank": 2,
    "alpha": 4,
    "adapter_dropout": 0.1,
}
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="this system lets go of nothing"),
]


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_weights, "SMALLEST", 0)


def mapped(files: list[Path], folder: Path, most: int = ENDLESS) -> MappedWeights:
    found = map_weights(files, folder, most)
    assert found is not None
    return found


def resident(tensor: torch.Tensor) -> int:
    """Bytes of the process's memory that the mapping of this tensor takes."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, _, _ = line.partition(" ")
        if "-" in first:
            low, high = (int(end, 16) for end in first.split("-"))
            inside = low <= tensor.data_ptr() < high
        elif inside and first == "Rss:":
            return int(line.split()[1]) << 10
    raise AssertionError("the tensor lies in no mapping")


# ---- the numbers


def test_every_weight_of_every_file_is_there_as_fp32(tmp_path: Path) -> None:
    kinds = {"a": torch.float32, "b": torch.bfloat16, "c": torch.float16, "d": torch.float64}
    floats = {name: torch.randn(3, 5).to(kind) for name, kind in kinds.items()}
    others = {"ids": torch.arange(4), "one": torch.tensor(2.5), "none": torch.zeros(0, 2)}
    save_file(floats, tmp_path / "1.safetensors")
    save_file(others, tmp_path / "2.safetensors")
    files = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    found = mapped(files, tmp_path / "file")
    assert set(found.named) == {*floats, *others}
    for name, tensor in floats.items():
        assert torch.equal(found.named[name], tensor.float())
        assert found.size([found.named[name]]) == 60
    assert torch.equal(found.named["ids"], others["ids"])
    assert found.named["one"] == 2.5
    assert found.size([found.named["ids"]]) == 0
    assert list((tmp_path / "file").iterdir()) == []


def test_what_is_brought_is_the_same_parameter_in_ordinary_memory(tmp_path: Path) -> None:
    save_file({"a": torch.ones(4)}, tmp_path / "1.safetensors")
    found = mapped([tmp_path / "1.safetensors"], tmp_path)
    parameter = torch.nn.Parameter(found.named["a"])
    found.bring([parameter])
    assert found.size([parameter]) == 0
    with torch.no_grad():
        parameter.add_(1.0)
    assert found.named["a"].tolist() == [1.0] * 4
    assert parameter.tolist() == [2.0] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/smaps tells it")
def test_weights_leave_memory_and_come_back_also_those_that_were_written(tmp_path: Path) -> None:
    save_file({"a": torch.ones(8 * MIB)}, tmp_path / "1.safetensors")
    found = mapped([tmp_path / "1.safetensors"], tmp_path)
    tensor = found.named["a"]
    assert resident(tensor) == 0
    tensor[::2] = 3.0
    assert resident(tensor) == 32 * MIB
    found.let_go()
    assert resident(tensor) == 0
    with found.paging_out():
        assert tensor.double().mean() == 2.0
    assert resident(tensor) == 0


# ---- the room


def test_without_room_or_without_the_system_s_help_nothing_is_mapped(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tiny_bert / "model.safetensors"]
    assert map_weights(files, tmp_path, files[0].stat().st_size // 2) is None
    monkeypatch.delattr(mmap, "MADV_DONTNEED")
    assert map_weights(files, tmp_path, ENDLESS) is None
    backend = open_backend(tiny_bert, 24)
    assert backend.calls.mapped is None
    assert backend.start_phase(phase(1), keep=True).left_mib == 0.0


def test_a_disk_that_is_full_is_no_crash(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(mapped_weights, "map_file", full)
    assert map_weights([tiny_bert / "model.safetensors"], tmp_path, ENDLESS) is None
    assert list(tmp_path.iterdir()) == []


def test_weights_and_activations_share_the_room_on_the_disk(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, 24, cache=1.0)
    assert backend.calls.mapped is not None
    assert backend.settings.room is not None
    assert backend.settings.room.disk + backend.calls.mapped.bytes_on_disk == 1 << 30
    assert open_backend(tiny_bert, 24, cache=1e-5).calls.mapped is None


def test_where_no_file_may_be_kept_none_is_made(tiny_bert: Path, tmp_path: Path) -> None:
    assert open_backend(tiny_bert, 24, cache="off").calls.mapped is None
    assert not (tmp_path / "cache").exists()


def test_few_weights_stay_in_memory(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (tiny_bert / "model.safetensors").stat().st_size
    monkeypatch.setattr(mapped_weights, "SMALLEST", 2 * size)
    assert open_backend(tiny_bert, 24).calls.mapped is None


# ---- the training


@pytest.mark.parametrize("adapt", [None, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5", "bart"])
def test_training_is_the_same_bit_for_bit_and_so_is_what_is_saved(
    name: str, adapt: dict[str, Any] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "model", name)
    top = [phase(0, epochs=1), phase(1)]
    plan = make_plan(*top, *([] if adapt else [phase(3, epochs=1), phase(1, epochs=1)]))
    learned: list[dict[str, np.ndarray]] = []
    for kind in ("mapped", "ordinary"):
        if kind == "ordinary":
            monkeypatch.setattr(session, "map_weights", lambda *_: None)
        backend = open_backend(model, 24, adapt=adapt)
        assert (backend.calls.mapped is not None) == (kind == "mapped")
        progress = train(backend, plan, tmp_path / kind)
        assert [record["cached"] for record in progress.records[:2]] == [True, True]
        learned.append(weights(backend))
        (tmp_path / kind / "saved").mkdir()
        backend.save_model(tmp_path / kind / "saved")
    assert all(np.array_equal(learned[0][n], learned[1][n]) for n in learned[1])
    saved = [
        load_file(tmp_path / k / "saved" / "model.safetensors") for k in ("mapped", "ordinary")
    ]
    assert set(saved[0]) == set(saved[1])
    assert all(torch.equal(saved[0][n], saved[1][n]) for n in saved[1])


def in_file(backend: TorchClassifier) -> set[str]:
    assert backend.calls.mapped is not None
    named = backend.model.named_parameters()
    return {name for name, parameter in named if backend.calls.mapped.size([parameter])}


def test_what_learns_is_in_ordinary_memory_and_the_rest_in_the_file(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, 24)
    saved = {f"bert.{name}" for name in load_file(tiny_bert / "model.safetensors")}
    assert in_file(backend) == saved & set(dict(backend.model.named_parameters()))
    for blocks in (0, 1, 2):
        backend.start_phase(phase(blocks))
        learning = {n for n, p in backend.model.named_parameters() if p.requires_grad}
        assert not learning & in_file(backend)
    assert in_file(backend) == set()


def test_a_phase_tells_how_much_it_leaves_in_the_file(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, 24)
    blocks = [sum(p.nbytes for p in block.parameters()) for block in backend.layout.blocks]
    for top, left in ((0, sum(blocks)), (1, blocks[0]), (2, 0)):
        assert backend.start_phase(phase(top)).left_mib * MIB == pytest.approx(left)
    assert backend.start_phase(phase(1)).left_mib == 0  # what has learned stays in memory


def test_the_answers_of_a_trained_model_are_those_of_its_folder(
    tiny_bert: Path, tmp_path: Path
) -> None:
    backend = open_backend(tiny_bert, 24)
    backend.start_phase(phase(1))
    backend.train_step([np.arange(8)], rate=1.0, draw=0)
    backend.save_model(tmp_path / "saved")
    texts = [text for text, _ in text_rows(32)[24:]]
    answers = TorchPredictor(tmp_path / "saved").answers(texts)
    np.testing.assert_allclose(answers, backend.answers("validation"), atol=1e-6)


def test_the_model_s_folder_may_be_emptied_while_it_trains(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    backend = open_backend(model, 24)
    backend.start_phase(phase(1), keep=False)
    known = backend.answers("validation")
    for file in model.iterdir():
        file.write_bytes(b"")
    assert np.array_equal(backend.answers("validation"), known)


def test_all_architectures_load_the_same_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ARCHITECTURES:
        model = write_model(tmp_path / name, name)
        backend = open_backend(model, 6)
        found = weights(backend)
        with monkeypatch.context() as patched:
            patched.setattr(session, "map_weights", lambda *_: None)
            plain = open_backend(model, 6)
        assert all(np.array_equal(found[n], each) for n, each in weights(plain).items()), name
        assert backend.news == plain.news
