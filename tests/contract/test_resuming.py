"""What every backend and task keeps to when a training is stopped, saved and resumed.

A new one adds a line to SETUPS, and these laws hold for it too.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tiny_chats import open_language, write_chat_model
from tiny_models import write_model
from training import StopAt, make_loop, make_plan, open_backend, phase, train
from tunewright.backends.torch import embedding
from tunewright.durable import read_lines
from tunewright.train.checkpoint import newest_whole, read_progress
from tunewright.train.interrupt import Interrupted, StopRequest
from tunewright.train.loop import Plan, Progress

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]
LORA = {"method": "lora", "layers": "all", "rank": 3, "alpha": 6, "adapter_dropout": 0.1}
STAGED = (phase(0, epochs=0), phase(1, epochs=1), phase(2, epochs=2))
FEW_ROWS = (phase(1, epochs=2, contrastive=True), phase(0, epochs=0), phase(2, epochs=2))
FROM_ABOVE = (phase(1, epochs=1), phase(2, epochs=2))
VIEWS = {"methods": ["swap", "delete"], "views": 2, "strength": 0.2}
BY_LOSS = {"metric": "loss"}
STEPS = 18  # 48 rows in batches of 8, three epochs


@dataclass(frozen=True)
class Setup:
    """A kind of training: how its backend is opened, and its phases; 18 steps."""

    open: Callable[[Path], Any]
    phases: tuple[Any, ...]
    model: str = "bert"
    kept: bool = False
    plan: dict[str, Any] = field(default_factory=dict)
    write: Callable[..., Path] = write_model


def open_full(path: Path) -> Any:
    """Everything learns; of the table of tokens the used rows alone, as in a real model's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "SMALLEST", 1)
        patch.setattr(embedding, "MOST_USED", 1.0)
        backend = open_backend(path, dropout=0.1)
    assert backend.tables
    return backend


def open_keras(path: Path, **changes: Any) -> Any:
    """TensorFlow, with dropout; imported here, where it is installed."""
    from tunewright.backends.keras.session import KerasSession

    return open_backend(
        path, dropout=0.1, session=lambda folder: KerasSession(folder, 1), **changes
    )


def keras_session(path: Path, reads: Any, data: Any) -> Any:
    from tunewright.backends.keras.session import KerasSession

    return KerasSession(path, 1, reads, data)


NEEDS_KERAS = pytest.mark.skipif(
    find_spec("keras_hub") is None, reason="needs the extra tensorflow"
)
SETUPS = {
    "full": Setup(open_full, (phase(2, epochs=3),), plan={"accumulate": 2}),
    "staged, with a kept prefix": Setup(
        lambda path: open_backend(path, dropout=0.1), STAGED, kept=True
    ),
    "views, with a kept prefix": Setup(
        lambda path: open_backend(path, dropout=0.1, augment=VIEWS),
        STAGED,
        kept=True,
        plan={"views": 2},
    ),
    "mix-up of views": Setup(
        lambda path: open_backend(path, augment=VIEWS | {"mix_up": 0.4}),
        (phase(0, epochs=3),),
        kept=True,
        plan={"views": 2, "accumulate": 2},
    ),
    "contrastive, of views": Setup(
        lambda path: open_backend(path, dropout=0.1, augment=VIEWS),
        FEW_ROWS,
        kept=True,
        plan={"views": 2},
    ),
    "contrastive, then balanced": Setup(
        lambda path: open_backend(path, dropout=0.1), FEW_ROWS, kept=True, plan={"balanced": True}
    ),
    "LoRA": Setup(lambda path: open_backend(path, adapt=LORA), STAGED, "llama", kept=True),
    "language": Setup(
        lambda path: open_language(path, adapt=LORA),
        FROM_ABOVE,
        "llama",
        kept=True,
        plan=BY_LOSS,
        write=write_chat_model,
    ),
    "language, new tokens": Setup(
        lambda path: open_language(path, adapt=LORA | {"new_tokens": ["delivery"]}),
        (phase(2, epochs=3),),
        "llama",
        plan=BY_LOSS,
        write=write_chat_model,
    ),
    "preference": Setup(
        lambda path: open_language(path, adapt=LORA, task="preference"),
        (phase(2, epochs=3),),
        "llama",
        plan=BY_LOSS | {"accumulate": 2},
        write=write_chat_model,
    ),
    "Keras": Setup(open_keras, STAGED, kept=True),
    "Keras language": Setup(
        lambda path: open_language(path, adapt=LORA, session=keras_session),
        FROM_ABOVE,
        "llama",
        kept=True,
        plan=BY_LOSS,
        write=write_chat_model,
    ),
    "Keras LoRA": Setup(lambda path: open_keras(path, adapt=LORA), STAGED, kept=True),
}

MARKS = {name: [NEEDS_KERAS, pytest.mark.slow] for name in SETUPS if name.startswith("Keras")}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=MARKS.get(name, ())) for name in SETUPS],
)
def setup(request: pytest.FixtureRequest) -> Setup:
    return SETUPS[request.param]


@pytest.fixture(scope="module")
def model(setup: Setup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return setup.write(tmp_path_factory.mktemp("models") / setup.model, setup.model)


@pytest.fixture(scope="module")
def never_stopped(
    setup: Setup, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("never")
    train(setup.open(model), plan_of(setup), folder)
    starts = [e for e in read_lines(folder / "events.jsonl") if e["event"] == "phase_started"]
    assert any(event["cached"] for event in starts) == setup.kept
    return outcome(folder)


def plan_of(setup: Setup, **changes: Any) -> Plan:
    return make_plan(*setup.phases, **setup.plan | changes)


def outcome(folder: Path) -> dict[str, Any]:
    """Weights, best weights, optimizer state, history of scores and losses at the end."""
    last, broken = newest_whole(folder / "checkpoints")
    assert last is not None
    assert not broken
    progress = read_progress(last)
    events = read_lines(folder / "events.jsonl")
    assert progress["step"] == STEPS
    return {
        **{f.name: sha256(f.read_bytes()).hexdigest() for f in last.glob("*.safetensors")},
        "history": progress["history"],
        "best": progress["best"],
        "losses": {e["step"]: e["loss"] for e in events if e["event"] == "steps"},
    }


def resume(setup: Setup, model: Path, folder: Path) -> dict[str, Any]:
    """Go on where the newest checkpoint stands, or at the beginning; to the end."""
    backend = setup.open(model)
    loop = make_loop(backend, plan_of(setup), folder)
    saved = loop.checkpoints.resume()
    if saved is not None:
        backend.load_state(loop.checkpoints.resumed_from())
    loop.run(Progress() if saved is None else Progress.from_json(saved))
    loop.events.close()
    return outcome(folder)


@pytest.mark.parametrize("steps", [1, 6, 7, 13, 18])
def test_stopped_anywhere_and_resumed_equals_never_stopped(
    setup: Setup, model: Path, tmp_path: Path, steps: int, never_stopped: dict[str, Any]
) -> None:
    backend = setup.open(model)
    with pytest.raises(Interrupted):
        train(backend, plan_of(setup), tmp_path, stop=StopAt(backend, steps))
    newest, _ = newest_whole(tmp_path / "checkpoints")
    assert newest is not None
    assert read_progress(newest)["step"] == steps
    assert resume(setup, model, tmp_path) == never_stopped


@pytest.mark.parametrize(
    ("where", "times"),
    [
        ("solve_head", 1),
        ("start_phase", 1),
        ("start_phase", 3),
        ("answers", 1),
        ("answers", 3),
    ],
)
def test_a_signal_while_nothing_is_learned_does_not_wait(
    setup: Setup,
    model: Path,
    tmp_path: Path,
    where: str,
    times: int,
    never_stopped: dict[str, Any],
) -> None:
    """In the probe, while activations are computed and kept, in an evaluation: the Nth of each."""
    backend, calls = setup.open(model), 0
    asked = getattr(backend, where)

    def stopped(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == times:
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("it waited")
        return asked(*args, **more)

    setattr(backend, where, stopped)
    with StopRequest() as stop, suppress(Interrupted):
        train(backend, plan_of(setup), tmp_path, stop=stop)
    if calls < times:
        return  # this training has not so many
    assert stop.signal_number == signal.SIGTERM
    assert resume(setup, model, tmp_path) == never_stopped


def test_the_second_signal_does_not_wait_for_the_save(
    setup: Setup, model: Path, tmp_path: Path, never_stopped: dict[str, Any]
) -> None:
    backend = setup.open(model)
    step, save = backend.train_step, backend.save_state

    def signalled(*args: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return step(*args, **more)

    def signalled_again(folder: Path) -> None:
        save(folder)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it waited")

    backend.train_step, backend.save_state = signalled, signalled_again
    with StopRequest() as stop, pytest.raises(Interrupted) as caught:
        train(backend, plan_of(setup), tmp_path, stop=stop)
    assert caught.value.exit_code == 130
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert resume(setup, model, tmp_path) == never_stopped


def test_saving_or_logging_more_often_changes_nothing(
    setup: Setup,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    never_stopped: dict[str, Any],
) -> None:
    monkeypatch.setattr("tunewright.train.checkpoint.EVERY_S", 0.0)
    monkeypatch.setattr("tunewright.train.loop.LOOK_EVERY", 1)
    train(setup.open(model), plan_of(setup), tmp_path)
    found = outcome(tmp_path)
    assert len(found.pop("losses")) == STEPS
    assert found == {key: value for key, value in never_stopped.items() if key != "losses"}


def test_telling_of_slow_steps_in_between_changes_no_other_event(
    setup: Setup,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    never_stopped: dict[str, Any],
) -> None:
    monkeypatch.setattr("tunewright.train.loop.SLOW_S", 0.0)
    backend = setup.open(model)
    with pytest.raises(Interrupted):
        train(backend, plan_of(setup), tmp_path, stop=StopAt(backend, 4))
    assert resume(setup, model, tmp_path) == never_stopped
    told = [e for e in read_lines(tmp_path / "events.jsonl") if e["event"].startswith("steps")]
    assert {each["step"] for each in told} == set(range(1, STEPS + 1))
    assert all(each["left_s"] >= 0 for each in told)


def test_evaluating_more_often_leaves_the_way_of_the_weights_as_it_is(
    setup: Setup, model: Path, tmp_path: Path
) -> None:
    """It may find a better step on the way, which is what it is for; each step's weights stay."""
    ways = []
    for often in (1, 6):
        backend = setup.open(model)
        backend.restore_best = lambda: None  # else the next phase begins at the better step
        ways.append(way := list[str]())
        step = backend.train_step

        def noted(
            *args: Any, step: Any = step, way: Any = way, backend: Any = backend, **more: Any
        ):
            answer = step(*args, **more)
            backend.save_state(now := new_folder(tmp_path / f"{len(ways)}-{len(way)}"))
            way.append(sha256((now / "weights.safetensors").read_bytes()).hexdigest())
            return answer

        backend.train_step = noted
        plan = plan_of(setup, evaluations_per_epoch=often)
        train(backend, plan, tmp_path / str(often))
    assert len(ways[0]) == STEPS
    assert ways[0] == ways[1]


def test_the_optimizer_goes_on_from_phase_to_phase_and_through_a_save_between_them(
    setup: Setup, model: Path, tmp_path: Path
) -> None:
    backend, resumed = setup.open(model), setup.open(model)
    backend.start_phase(setup.phases[-1])
    backend.train_step([np.arange(8)], rate=1.0, draw=1)
    backend.keep_best()
    backend.save_state(ended := new_folder(tmp_path / "ended"))
    resumed.load_state(ended)
    resumed.save_state(saved := new_folder(tmp_path / "before any phase"))
    for side, folder in ((backend, tmp_path / "went on"), (resumed, tmp_path / "resumed")):
        side.start_phase(setup.phases[-1])
        side.train_step([np.arange(8, 16)], rate=1.0, draw=2)
        side.save_state(new_folder(folder))
    for file in ended.iterdir():
        assert file.read_bytes() == (saved / file.name).read_bytes()
        went_on = (tmp_path / "went on" / file.name).read_bytes()
        assert went_on == (tmp_path / "resumed" / file.name).read_bytes()
    moved = load_file(tmp_path / "went on" / "optimizer.safetensors")
    assert {float(value) for name, value in moved.items() if name.startswith("step/")} == {2.0}


def test_a_batch_that_is_not_finite_is_skipped_where_the_recipe_says_so(
    setup: Setup, model: Path, tmp_path: Path
) -> None:
    backend = setup.open(model)
    backend.settings = replace(backend.settings, skip_not_finite=True)
    backend.start_phase(setup.phases[-1])
    rows = [np.arange(8)]
    backend.train_step(rows, rate=1.0, draw=1)
    backend.save_state(before := new_folder(tmp_path / "before"))
    backend.label_weights = torch.full((3,), math.nan)  # of a classifier
    backend.amount = lambda rows: math.nan  # of every other training
    loss, _ = backend.train_step(rows, rate=1.0, draw=2)
    assert not math.isfinite(float(loss))
    backend.save_state(after := new_folder(tmp_path / "after"))
    for file in before.iterdir():
        assert file.read_bytes() == (after / file.name).read_bytes()


def new_folder(path: Path) -> Path:
    path.mkdir()
    return path
