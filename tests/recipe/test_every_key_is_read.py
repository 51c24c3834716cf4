"""Every recipe key is read: changing it changes what happens, or is refused.

Each key has a proof: two recipes that differ in this key alone are run on tiny data with a tiny
random model, as far as is needed, and what they leave behind must differ. What is compared is
what happened (rows, events, weights, scores), never the recipe as it was written down.
"""

import json
import runpy
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tiny_chats import chats, preferences, write_chat_model, write_lines
from tunewright.durable import read_lines
from tunewright.errors import TunewrightError
from tunewright.recipe.load import build_recipe
from tunewright.recipe.schema import Recipe

CLOCK = {"time", "seconds", "build_s", "wall_s", "rows_per_s", "left_s"}
CLOCK |= {
    "features_s",
    "baseline_seconds",
    "saves_s",
    "cache_build_s",
    "cache_saves_s",
    "product_share",
    "peak_tokens_per_s",
}


@dataclass(frozen=True)
class Proof:
    """How a key is proven.

    Args:
        value: what the key is changed to; "{folder}" is replaced.
        until: how far both runs go.
        beside: settings of both runs.
        refused: what the error says, for a key with one possible value in this setting.
    """

    value: object
    until: str = "train"
    beside: Mapping[str, object] = field(default_factory=dict)
    refused: str = ""


def phase(**keys: object) -> list[dict[str, object]]:
    first = {"name": "one", "blocks": 1, "epochs": 2, "early_stopping": 3}
    rates = {"learning_rate": 1e-3, "head_learning_rate": 1e-2, "layer_decay": 0.5}
    return [{**first, **rates, **keys}]


def in_phase(**keys: object) -> Proof:
    return Proof(phase(**keys), beside={"train.phases": phase(), "train.strategy": None})


CHAT: dict[str, object] = {
    "task": "text-generation",
    "model": "{folder}/chat-model",
    "data.train": "{folder}/chats.jsonl",
    "data.columns": {},
    "data.columns.messages": "messages",
    "train.max_length": "auto",
    "evaluate.metric": "loss",
}
WRITING = CHAT | {"evaluate.answers": 4, "evaluate.most_tokens": 8}
VIEWS: dict[str, object] = {
    "augment.methods": ["swap"],
    "augment.views": 2,
    "augment.strength": 0.1,
    "train.epochs": 2,
}
PAIRS = CHAT | {
    "data.columns.messages": None,
    "data.columns.prompt": "prompt",
    "data.columns.completion": "chosen",
}
PREFERENCE = CHAT | {
    "task": "preference",
    "data.columns.messages": None,
    "data.columns.prompt": "prompt",
    "data.columns.chosen": "chosen",
    "data.columns.rejected": "rejected",
}


# A key of a phase is written train.phases[].key.
def searched(value: object) -> Proof:
    """A run refuses what only a search reads; that it does, tests/tuning shows."""
    return Proof(value, "choose", refused="asks for a search")


def of_a_service(value: object) -> Proof:
    """A run on this machine refuses it; what a service makes of it, tests/hosting shows."""
    return Proof(value, "choose", refused="is for backend openai")


PROOFS: dict[str, Proof] = {
    "task": Proof("text-writing", refused="task: "),
    "backend": Proof("keras", refused="" if find_spec("keras_hub") else "tensorflow"),
    "name": Proof("other", "choose"),
    "seed": Proof(1, "prepare"),
    "model": Proof("{folder}/other-model", "choose"),
    "revision": Proof("abc", "choose", refused="revision"),
    "data.train": Proof("{folder}/fewer.csv", "prepare"),
    "data.validation": Proof("{folder}/more.csv", "prepare"),
    "data.test": Proof("{folder}/more.csv", "prepare"),
    "data.columns.text": Proof("note", "prepare"),
    "data.columns.text_pair": Proof("note", "prepare"),
    "data.columns.image": Proof("picture", "prepare", refused="image and text"),
    "data.columns.label": Proof("other_label", "prepare"),
    "data.columns.messages": Proof("others", "prepare", CHAT),
    "data.columns.tools": Proof("calls", "prepare", CHAT),
    "data.columns.prompt": Proof("note", "prepare", PAIRS),
    "data.columns.completion": Proof("note", "prepare", PAIRS),
    "data.columns.system": Proof("note", "prepare", PAIRS),
    "data.columns.context": Proof("note", "prepare", PAIRS),
    "data.columns.chosen": Proof("note", "prepare", PREFERENCE),
    "data.columns.rejected": Proof("note", "prepare", PREFERENCE),
    "data.learn": Proof("last", "train", CHAT),
    "data.too_long": Proof(
        "refuse",
        "train",
        CHAT | {"train.max_length": 30, "data.too_long": "cut"},
        refused="longer than",
    ),
    "data.chat_template": Proof("plain", "train", CHAT),
    "data.group": Proof("customer", "prepare"),
    "data.time": Proof("date", "prepare"),
    "data.exclude": Proof("{folder}/no-list.jsonl", "prepare", refused="no-list.jsonl"),
    "data.allow": Proof(
        [],
        "prepare",
        {"data.test": "{folder}/twice.csv", "data.allow": ["leak"]},
        refused="leak: ",
    ),
    "data.split.by": Proof("stratified", "prepare", {"data.group": "customer"}),
    "data.split.validation": Proof(0.3, "prepare"),
    "data.split.test": Proof(0.3, "prepare"),
    "data.split.seed": Proof(5, "prepare"),
    "adapt.method": Proof("head", beside={"train.strategy": None}),
    "adapt.layers": Proof("top-1"),
    "adapt.rank": Proof(2, beside={"adapt.method": "lora"}),
    "adapt.alpha": Proof(1, beside={"adapt.method": "lora"}),
    "adapt.adapter_dropout": Proof(0.5, beside={"adapt.method": "lora"}),
    "adapt.dropout": Proof(0.5),
    "adapt.pooling": Proof("mean"),
    "adapt.quantization": Proof("4bit", "train", CHAT),
    "adapt.new_tokens": Proof(["delivery"], "train", CHAT),
    "train.strategy": Proof("head"),
    "train.phases": Proof(phase(), beside={"train.strategy": None}),
    "train.phases[].name": in_phase(name="two"),
    "train.phases[].blocks": in_phase(blocks=2),
    "train.phases[].learning_rate": in_phase(learning_rate=2e-3),
    "train.phases[].head_learning_rate": in_phase(head_learning_rate=2e-2),
    "train.phases[].layer_decay": Proof(
        phase(blocks=2, layer_decay=0.25),
        beside={"train.phases": phase(blocks=2), "train.strategy": None},
    ),
    "train.phases[].epochs": in_phase(epochs=1),
    "train.phases[].early_stopping": in_phase(early_stopping=1),
    "train.contrastive": Proof("on"),
    "tune.trials": searched(9),
    "tune.minutes": searched(3),
    "tune.sampler": searched("random"),
    "tune.pruner": searched("none"),
    "tune.space": searched({"train.epochs": [1, 2]}),
    "tune.guesses": searched([{"train.epochs": 2}]),
    "tune.find_rate": searched(True),
    "tune.finalists": searched(1),
    "tune.seeds": searched(1),
    "tune.keep": searched(0),
    "tune.storage": searched("sqlite:///none.db"),
    "train.sampling": Proof("balanced"),
    "train.epochs": Proof(2),
    "train.learning_rate": Proof(2e-3),
    "train.head_learning_rate": Proof(2e-2),
    "train.layer_decay": Proof(0.25),
    "train.batch_size": Proof(24),
    "train.accumulate": Proof(2),
    "train.max_length": Proof(8),
    "train.warmup": Proof(0.9),
    "train.schedule": Proof("constant"),
    "train.weight_decay": Proof(0.9),
    "train.clip": Proof(1e-3),
    "train.not_finite": Proof(
        "stop",
        beside={"train.not_finite": "skip", "train.learning_rate": 1e30, "train.clip": 0},
        refused="is not a finite number at step",
    ),
    "train.label_smoothing": Proof(0.3),
    "train.class_weights": Proof("balanced"),
    "train.preference": Proof("ipo", "train", PREFERENCE),
    "train.beta": Proof(0.7, "train", PREFERENCE),
    "train.precision": Proof("bf16"),
    "train.checkpointing": Proof(  # on torch it changes no number
        "on",
        "adapt",
        {"backend": "keras"},
        refused="train.checkpointing is on",
    ),
    "train.early_stopping": Proof(1),
    "train.evaluations_per_epoch": Proof(2),
    "train.threads": Proof(2, "adapt"),
    "train.cache": Proof("off", beside={"train.phases": phase(), "train.strategy": None}),
    "augment.methods": Proof(["delete"], beside=VIEWS),
    "augment.views": Proof(3, "adapt", VIEWS),
    "augment.strength": Proof(0.9, beside=VIEWS),
    "augment.mix_up": Proof(0.4, beside={"train.strategy": "head"}),
    "evaluate.metric": Proof("log_loss", "evaluate"),
    "evaluate.resamples": Proof(101, "evaluate"),
    "evaluate.calibrate": Proof(False, "evaluate"),
    "evaluate.thresholds": Proof(
        "auto", "evaluate", {"evaluate.metric": "macro_f1", "data.columns.label": "other_label"}
    ),
    "evaluate.slices": Proof(["customer"], "prepare"),
    "evaluate.forgetting": Proof("on", "evaluate"),
    "evaluate.answers": Proof(2, "evaluate", WRITING),
    "evaluate.most_tokens": Proof(2, "evaluate", WRITING),
    "evaluate.pattern": Proof("here", "evaluate", WRITING),
    "evaluate.own": Proof(["{folder}/own.py:length"], "evaluate", WRITING),
    "service.preset": of_a_service("nebius"),
    "service.base_url": of_a_service("http://127.0.0.1:1/v1"),
    "service.key": of_a_service("OTHER_KEY"),
    "service.spend_limit": of_a_service(3),
    "service.training_price": of_a_service(1),
    "service.input_price": of_a_service(1),
    "service.output_price": of_a_service(1),
    "service.learning_rate_multiplier": of_a_service(2),
    "service.suffix": of_a_service("mine"),
    "service.instruction": of_a_service("Which?"),
    "service.base_as": of_a_service("one"),
    "service.tuned_as": of_a_service("two"),
    "service.parallel": of_a_service(2),
    "service.poll_s": of_a_service(1),
    "service.wait_minutes": of_a_service(1),
    "test.open": Proof(True, "test"),
}
BASE: dict[str, object] = {
    "name": "one",
    "model": "{folder}/model",
    "data.train": "{folder}/rows.csv",
    "data.columns": {"text": "text", "text_pair": None, "label": "label"},
    "train.strategy": "full",
    "train.epochs": 1,
    "train.learning_rate": 1e-3,
    "train.head_learning_rate": 1e-2,
    "train.layer_decay": 0.5,
    "train.batch_size": 16,
    "train.max_length": 24,
    "train.precision": "fp32",
    "train.early_stopping": 3,
    "train.evaluations_per_epoch": 1,
    "train.threads": 1,
    "evaluate.metric": "accuracy",
    "evaluate.forgetting": "off",
    "evaluate.resamples": 100,
}


def leaves(schema: Mapping[str, Any], section: Mapping[str, Any], above: str = "") -> list[str]:
    """Every key of a JSON schema that holds a value, and the keys of list items."""
    found = []
    for name, key in section["properties"].items():
        if "$ref" in key:
            found += leaves(schema, schema["$defs"][key["$ref"].split("/")[-1]], f"{above}{name}.")
            continue
        found.append(f"{above}{name}")
        for choice in key.get("anyOf", ()):
            if "$ref" in choice.get("items", {}):
                item = schema["$defs"][choice["items"]["$ref"].split("/")[-1]]
                found += leaves(schema, item, f"{above}{name}[].")
    return found


def test_every_key_of_the_schema_has_a_proof() -> None:
    schema = Recipe.model_json_schema()
    assert sorted(PROOFS) == sorted(leaves(schema, schema))


def chat_row(row: int) -> dict[str, object]:
    """A row with every column that a form of a conversation may have."""
    talk = chats(row + 2)
    tool = {"name": f"look_{row % 3}", "parameters": {"type": "object", "properties": {}}}
    return {
        **preferences(row + 1)[row],
        "messages": talk[row]["messages"] + talk[row + 1]["messages"],
        "others": talk[row + 1]["messages"],
        "note": f"a note of row {row}",
        "calls": [{"type": "function", "function": tool}],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows with every column that a key can name, and two models."""
    root = tmp_path_factory.mktemp("keys")
    maker = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "tiny_model.py"))
    maker["write_tiny_model"](root / "model", seed=0)
    maker["write_tiny_model"](root / "other-model", seed=1)
    colours = ("red", "green", "blue", "black", "white")
    lines = ["text,note,label,other_label,customer,date"]
    for row in range(60):
        label = "much" if row % 3 else "little"
        text = f"{label} {colours[row % 5]} paint number {row} in the long row of cans"
        fields = (
            text,
            f"a note on can {row}",
            label,
            colours[row % 2],
            f"c{row % 12}",
            f"2025-01-{1 + row // 2:02d}",
        )
        lines.append(",".join(fields))
    (root / "rows.csv").write_text("\n".join(lines) + "\n")
    (root / "fewer.csv").write_text("\n".join(lines[:46]) + "\n")
    write_chat_model(root / "chat-model")
    (root / "own.py").write_text("def length(answer, reference, row):\n    return len(answer)\n")
    write_lines(root / "chats.jsonl", [chat_row(row) for row in range(60)])
    other = "stands on a shelf of the shop"  # no near copies
    more = [line.replace("in the long row of cans", other) for line in lines[:13]]
    more = [line.replace("a note", "another") for line in more]
    (root / "more.csv").write_text("\n".join(more) + "\n")
    (root / "twice.csv").write_text("\n".join([*more, lines[1]]) + "\n")
    return root


def filled(value: Any, folder: Path) -> Any:
    """The value with "{folder}" replaced; of a list in every text."""
    if isinstance(value, list):
        return [filled(each, folder) for each in value]
    return value.format(folder=folder) if isinstance(value, str) else deepcopy(value)


def content(folder: Path, *layers: Mapping[str, object]) -> dict[str, Any]:
    """Dotted keys as nested sections; the later layer wins, None for a strategy takes it out."""
    nested: dict[str, Any] = {}
    for key, value in (item for layer in layers for item in layer.items()):
        *parents, last = key.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = filled(value, folder)
    if nested["train"].get("strategy") is None:
        nested["train"].pop("strategy")
    return nested


def without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_clock(inner) for key, inner in value.items() if key not in CLOCK}
    return [without_clock(inner) for inner in value] if isinstance(value, list) else value


def outcome(
    asked: dict[str, Any], until: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What a run leaves behind, without clocks and without the recipe itself."""
    import torch

    from tunewright.backends.torch.training import TorchTraining
    from tunewright.life import run

    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(runs))
    parts: list[list[int]] = []
    step = TorchTraining.train_step

    def counted(self: Any, rows: Any, **draws: Any) -> Any:
        parts.append([len(part) for part in rows])
        return step(self, rows, **draws)

    with monkeypatch.context() as patch:
        patch.setattr(TorchTraining, "train_step", counted)
        finished = run(until=until, **asked)
    left: dict[str, Any] = {
        "name": finished.folder.name.split("-")[2],
        "parts": parts,
        "threads": torch.get_num_threads(),
        "events": [
            without_clock({key: value for key, value in event.items() if key != "choices"})
            for event in read_lines(finished.folder / "events.jsonl")
        ],
    }
    for name in ("data/splits.csv", "data/sealed.arrow", "model/model.safetensors"):
        path = finished.folder / name
        left[name] = path.read_bytes() if path.exists() else None
    if (finished.folder / "result.json").exists():
        result = json.loads((finished.folder / "result.json").read_text())
        result["train"] = result["model"] = None
        left["result"] = without_clock(result)
    return left


@pytest.fixture
def as_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> Any:
    def run_it(until: str, *layers: Mapping[str, object]) -> dict[str, Any]:
        return outcome(content(folder, BASE, *layers), until, tmp_path / "runs", monkeypatch)

    return run_it


def test_the_same_recipe_leaves_the_same_behind(as_asked: Any) -> None:
    """Else a difference would prove nothing."""
    assert as_asked("test", {"test.open": True}) != as_asked("test")
    first, second = as_asked("evaluate"), as_asked("evaluate")
    assert first == second


@pytest.mark.parametrize("key", PROOFS)
def test_a_key_changes_what_happens_or_is_refused(key: str, as_asked: Any, folder: Path) -> None:
    proof = PROOFS[key]
    changed = {key.partition("[]")[0]: proof.value}
    if proof.refused:
        with pytest.raises(TunewrightError, match=proof.refused):
            as_asked(proof.until, proof.beside, changed)
        return
    assert build_recipe(content(folder, BASE, proof.beside)) != build_recipe(
        content(folder, BASE, proof.beside, changed)
    )
    before = as_asked(proof.until, proof.beside)
    after = as_asked(proof.until, proof.beside, changed)
    assert before != after, f"nothing reads {key}"
