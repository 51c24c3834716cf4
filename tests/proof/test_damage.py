"""Checkpoints on a disk that lost or changed something, and runs that are not what they were."""

from __future__ import annotations

import random
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from figures import prove

from training import make_loop, make_plan, open_backend, phase, train
from tunewright.errors import RunError
from tunewright.life import DECIDING_PACKAGES
from tunewright.recipe.schema import Recipe
from tunewright.train.checkpoint import (
    Checkpoints,
    complete_checkpoints,
    flat,
    newest_whole,
    read_progress,
)
from tunewright.train.loop import Progress

pytestmark = pytest.mark.usefixtures("one_thread")
DAMAGES = 500


@pytest.fixture
def saved(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The last two checkpoints of a training."""
    monkeypatch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
    train(open_backend(tiny_bert, dropout=0.1), make_plan(phase(1, epochs=1)), tmp_path)
    folder = tmp_path / "checkpoints"
    assert len(complete_checkpoints(folder)) == 2
    return folder


def damage(content: bytes, draw: random.Random) -> bytes:
    """One byte changed, or an end cut off."""
    at = draw.randrange(len(content))
    if draw.random() < 0.5:
        return content[:at]
    other = content[at] ^ draw.randrange(1, 256)
    return content[:at] + bytes([other]) + content[at + 1 :]


def test_every_damage_is_detected_and_the_checkpoint_before_is_used(saved: Path) -> None:
    before, newest = complete_checkpoints(saved)
    files = sorted(newest.iterdir())
    assert len(files) == 5
    draw, detected = random.Random(0), 0
    for number in range(DAMAGES):
        file = files[number % len(files)]
        content = file.read_bytes()
        file.write_bytes(damage(content, draw))
        detected += newest_whole(saved) == (before, [newest])
        file.write_bytes(content)
    assert newest_whole(saved) == (newest, [])
    prove("damages detected, the checkpoint before used", detected, DAMAGES)


def test_the_next_save_deletes_the_damaged_one_and_not_the_good_one(
    saved: Path, tiny_bert: Path
) -> None:
    before, newest = complete_checkpoints(saved)
    (newest / "weights.safetensors").write_bytes(b"")
    checkpoints = Checkpoints(saved, {"recipe": {"seed": 0}})
    assert checkpoints.resume() is not None
    assert checkpoints.broken == [newest]
    backend = open_backend(tiny_bert)
    checkpoints.save(backend, Progress(step=99))
    assert [path.name for path in complete_checkpoints(saved)] == [before.name, "step-00000099"]


def test_training_goes_on_from_the_one_before_to_the_same_end(
    saved: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    expected = read_progress(complete_checkpoints(saved)[-1])["history"]
    shutil.rmtree(complete_checkpoints(saved)[-1])
    backend = open_backend(tiny_bert, dropout=0.1)
    loop = make_loop(backend, make_plan(phase(1, epochs=1)), tmp_path)
    again = loop.checkpoints.resume()
    assert again is not None
    backend.load_state(loop.checkpoints.resumed_from())
    assert loop.run(Progress.from_json(again)).history == expected
    loop.events.close()


def test_every_change_of_what_decides_the_weights_is_refused_by_name(tmp_path: Path) -> None:
    recipe = Recipe().model_dump(mode="json", exclude={"name", "test"})
    fixed: dict[str, Any] = {
        "data": "0f",
        "labels": ["a", "b"],
        "model": "1e",
        "config": "2d",
        "tokens": "3c",
        "device": "cpu",
        "versions": dict.fromkeys(DECIDING_PACKAGES, "1"),
        "recipe": recipe,
    }

    class Nothing:
        def state_bytes(self) -> int:
            return 0

        def save_state(self, folder: Path) -> None:
            (folder / "weights.safetensors").write_bytes(b"")

    Checkpoints(tmp_path, fixed).save(Nothing(), Progress(step=1))
    names = list(flat(fixed))
    assert len(names) > 50
    refused = 0
    for name in names:
        changed = deepcopy(fixed)
        *parents, last = name.split(".")
        place = changed
        for parent in parents:
            place = place[parent]
        old, place[last] = place[last], "another"
        with pytest.raises(RunError) as caught:
            Checkpoints(tmp_path, changed).resume()
        told = f"{name} changed since the run began: {old} before, another now"
        refused += caught.value.what == told and "--model" in caught.value.fix
    prove("protected fields refused by name, with old and new value", refused, len(names))
