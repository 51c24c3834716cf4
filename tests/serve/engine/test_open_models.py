"""Models are opened when they are asked for, share what they can, and make room for others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from answering import Server, answering
from tiny_chats import open_language, write_chat_model
from tiny_llama import write_llama
from training import phase
from tunewright.backends.torch.writer import TorchWriter
from tunewright.errors import ModelError
from tunewright.history.folder import create_run
from tunewright.history.state import write_state
from tunewright.pretrained.folder import weights_sha256
from tunewright.pretrained.weights import find_weights, fp32_bytes
from tunewright.serve.engine.places import place_of_folder
from tunewright.serve.engine.shelf import Opened, Shelf

ASKED: list[Any] = [{"role": "user", "content": "where is parcel 3?"}]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("models")
    return [write_llama(root / name) for name in ("a", "b", "c")]


def shelf_for(folders: list[Path], count: float, busy: list[Opened]) -> Shelf:
    return Shelf(int(fp32_bytes(folders[0]) * count), lambda opened: opened in busy)


def names(shelf: Shelf) -> list[str]:
    return [opened.model.name for opened in shelf]


def test_the_least_recently_used_makes_room(folders: list[Path]) -> None:
    shelf = shelf_for(folders, 2.5, [])
    a, b, c = folders
    for folder in (a, b, a, c):
        assert shelf.get("writes", folder, lambda path: path) is not None
    assert names(shelf) == ["a", "c"]
    assert shelf.bytes <= shelf.most_bytes


def test_a_model_that_is_busy_is_not_closed(folders: list[Path]) -> None:
    busy: list[Opened] = []
    shelf = shelf_for(folders, 1.5, busy)
    a, b, _ = folders
    opened = shelf.get("writes", a, lambda path: path)
    assert opened is not None
    busy.append(opened)
    assert shelf.get("writes", b, lambda path: path) is None
    busy.clear()
    assert shelf.get("writes", b, lambda path: path) is not None
    assert names(shelf) == ["b"]


def test_a_model_larger_than_the_memory_is_refused(folders: list[Path]) -> None:
    with pytest.raises(ModelError, match="MiB"):
        shelf_for(folders, 0.5, []).get("writes", folders[0], lambda path: path)


def adapted_run(base: Path, name: str, draw: int) -> Path:
    """A run folder of adapters, as a finished run leaves it."""
    run = create_run(name, "")
    backend = open_language(
        base, adapt={"method": "lora", "rank": 4, "alpha": 8, "adapter_dropout": 0.0}
    )
    backend.start_phase(phase(2, learning_rate=1e-2))
    for at in range(3):
        backend.train_step([np.arange(at * 16, at * 16 + 16)], rate=1.0, draw=draw + at)
    backend.save_model(run / "model")
    (run / "recipe.yaml").write_text(f"model: {base}\ntask: text-generation\n")
    write_state(run, model_hash=weights_sha256(find_weights(base)), state="done")
    return run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with answering(tmp_path) as server:
        yield server


def ask(server: Server, model: str) -> str:
    answer = server.client.chat.completions.create(
        model=model, messages=ASKED, temperature=0, max_tokens=12
    )
    return str(answer.choices[0].message.content)


def right(folder: Path) -> str:
    writer = TorchWriter(folder)
    ((_, answer, _),) = writer.write([writer.prompt(ASKED)], most_tokens=12)
    return answer


def test_runs_of_one_base_share_its_weights(server: Server, tmp_path: Path) -> None:
    base = write_chat_model(tmp_path / "base")
    runs = [adapted_run(base, name, 10 * n) for n, name in enumerate(("one", "two"))]
    server.add("ft:tiny:local::twotwotw", runs[1] / "model")
    server.add("tiny", base)
    said = [ask(server, name) for name in (runs[0].name, "ft:tiny:local::twotwotw", "tiny")]
    assert said == [right(runs[0] / "model"), right(runs[1] / "model"), right(base)]
    (opened,) = server.app.state.engine._shelf
    assert len(opened.parts) == 3
    (runs[0] / "recipe.yaml").write_text("model: nowhere\ntask: text-generation\n")
    assert place_of_folder("a", runs[0] / "model").base is None
    assert place_of_folder("a", runs[1] / "model").base == base


def test_a_base_that_changed_is_not_shared(tmp_path: Path) -> None:
    base = write_chat_model(tmp_path / "base")
    run = adapted_run(base, "one", 0)
    assert place_of_folder("a", run / "model").base == base
    write_state(run, model_hash="another")
    assert place_of_folder("a", run / "model").base is None


def test_a_model_that_is_not_here_is_not_fetched(server: Server) -> None:
    with pytest.raises(openai.NotFoundError, match="models pull"):
        ask(server, "smollm2")


def test_models_that_do_not_fit_at_once_answer_in_turn(tmp_path: Path) -> None:
    folders = [write_chat_model(tmp_path / name) for name in ("a", "b", "c")]
    small = -(-fp32_bytes(folders[0]) * 3 // 2 >> 20)
    with answering(tmp_path, model_memory_mib=max(1, small)) as server:
        server.app.state.engine._shelf.most_bytes = fp32_bytes(folders[0]) * 3 // 2
        for folder in folders:
            server.add(folder.name, folder)
        said = [ask(server, name) for name in ("a", "b", "c", "a")]
        assert len(list(server.app.state.engine._shelf)) == 1
    assert said[0] == said[3] == right(folders[0])
