"""Whatever is wrong with a request: exit code 2, two lines, and no run folder left behind."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiny_models import text_rows, write_csv, write_model

sys.path.insert(0, str(Path(__file__).parent.parent / "data"))
from bad_files import CASES
from bad_pictures import PICTURES

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]


def no_runs() -> bool:
    root = Path(os.environ["TUNEWRIGHT_RUNS"])
    return not root.exists() or not list(root.iterdir())


def refused(said: Any, expected: str) -> None:
    error = said.error()
    assert said.code == 2
    assert said.out == ""
    assert expected in error, error
    assert no_runs()


def test_there_are_enough_cases() -> None:
    assert len(CASES) + len(RECIPES) + len(FOLDERS) + len(COMMANDS) >= 120


# ---- data


@pytest.mark.parametrize(("name", "build", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_malformed_file(
    name: str, build: Any, expected: str, cli: Cli, tiny_bert: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    path = build(tmp_path / "in")
    refused(cli("run", path, "--model", tiny_bert), expected)


@pytest.mark.parametrize(
    ("name", "build", "expected"), PICTURES, ids=[case[0] for case in PICTURES]
)
def test_wrong_pictures(
    name: str, build: Any, expected: str, cli: Cli, tiny_bert: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    path = build(tmp_path / "in")
    refused(cli("run", path, "--model", tiny_bert, "--until", "prepare"), expected)


# ---- recipes

DATA = "data: tickets.csv\n"
RECIPES: list[tuple[str, str, str]] = [
    ("unknown key", DATA + "modle: x\n", "did you mean 'model'"),
    ("unknown key far from any", DATA + "zzz: 1\n", "known here: "),
    ("unknown key below", DATA + "train:\n  epoch: 3\n", "line 3 of"),
    ("unknown key below, near", DATA + "train: {learning_rat: 1}\n", "did you mean 'train.learning_rate'"),
    ("unknown key in a phase", DATA + "train: {phases: [{block: 1}]}\n", "did you mean 'train.phases.0.blocks'"),
    ("unknown key in columns", DATA.replace("tickets.csv", "{train: tickets.csv, columns: {txt: a}}"), "txt"),
    ("word for a number", DATA + "train: {epochs: many}\n", "train.epochs"),
    ("fraction of an epoch", DATA + "train: {epochs: 1.5}\n", "train.epochs"),
    ("no epochs", DATA + "train: {epochs: 0}\n", "train.epochs"),
    ("negative epochs", DATA + "train: {epochs: -1}\n", "train.epochs"),
    ("rate of zero", DATA + "train: {learning_rate: 0}\n", "train.learning_rate"),
    ("rate below zero", DATA + "train: {learning_rate: -1e-4}\n", "train.learning_rate"),
    ("rate that is a list", DATA + "train: {learning_rate: [1]}\n", "train.learning_rate"),
    ("rate that is not a number", DATA + "train: {learning_rate: .nan}\n", "train.learning_rate"),
    ("rate without end", DATA + "train: {learning_rate: .inf}\n", "train.learning_rate"),
    ("batch of nothing", DATA + "train: {batch_size: 0}\n", "train.batch_size"),
    ("too short", DATA + "train: {max_length: 2}\n", "train.max_length"),
    ("decay above one", DATA + "train: {layer_decay: 1.5}\n", "train.layer_decay"),
    ("warmup above one", DATA + "train: {warmup: 2}\n", "train.warmup"),
    ("smoothing of one", DATA + "train: {label_smoothing: 1}\n", "train.label_smoothing"),
    ("unknown schedule", DATA + "train: {schedule: step}\n", "train.schedule"),
    ("unknown strategy", DATA + "train: {strategy: gentle}\n", "train.strategy"),
    ("unknown precision", DATA + "train: {precision: fp8}\n", "train.precision"),
    ("unknown metric", DATA + "evaluate: {metric: f1}\n", "evaluate.metric"),
    ("few resamples", DATA + "evaluate: {resamples: 3}\n", "evaluate.resamples"),
    ("unknown task", DATA + "task: translation\n", "task"),
    ("unknown backend", DATA + "backend: jax\n", "backend"),
    ("seed that is a word", DATA + "seed: lucky\n", "seed"),
    ("negative seed", DATA + "seed: -1\n", "seed"),
    ("seed too large", DATA + "seed: 4294967296\n", "seed"),
    ("dropout of one", DATA + "adapt: {dropout: 1}\n", "adapt.dropout"),
    ("unknown method", DATA + "adapt: {method: lorra}\n", "adapt.method"),
    ("model that is a list", DATA + "model: [a, b]\n", "model"),
    ("model without a name", DATA + "model:\n", "model"),
    ("nothing to train on", "model: minilm\n", "no data"),
    ("empty file", "", "no data"),
    ("data that is a list", "data: [a.csv]\n", "data"),
    ("data that is a number", "data: 5\n", "data"),
    ("shares that leave nothing", "data: {train: tickets.csv, split: {validation: 0.5, test: 0.5}}\n", "90 %"),
    ("share below zero", "data: {train: tickets.csv, split: {test: -0.1}}\n", "data.split.test"),
    ("unknown split", "data: {train: tickets.csv, split: {by: luck}}\n", "data.split.by"),
    ("split by a group without one", "data: {train: tickets.csv, split: {by: group}}\n", "data.group"),
    ("split as given, of one file", "data: {train: tickets.csv, split: {by: given}}\n", "given"),
    ("a column that is not there", "data: {train: tickets.csv, columns: {text: body}}\n", "body"),
    ("a group that is not there", "data: {train: tickets.csv, group: customer}\n", "customer"),
    ("text and picture are both named", "data: {train: tickets.csv, columns: {text: a, image: b}}\n", "pictures or texts"),
    ("nothing is read", "data: {train: tickets.csv, columns: {text: null, image: null}}\n", "the text is null"),
    ("text in a task of pictures", "task: image-classification\ndata: {train: tickets.csv, columns: {text: text}}\n", "named as the text"),
    ("picture in a task of texts", "task: text-classification\ndata: {train: tickets.csv, columns: {image: text}}\n", "named as the picture"),
    ("texts in a task of pictures", "task: image-classification\ndata: tickets.csv\n", "which column is the picture"),
    ("text and label are one column", "data: {train: tickets.csv, columns: {text: label, label: label}}\n", "label"),
    ("a file that is not there", "data: tikets.csv\n", "tikets.csv"),
    ("no phases", DATA + "train: {phases: []}\n", "phases is an empty list"),
    ("strategy and phases", DATA + "train: {strategy: full, phases: [{blocks: 1}]}\n", "both given"),
    ("head alone and blocks", DATA + "adapt: {method: head}\ntrain: {strategy: full}\n", "adapt.method is head"),
    ("batch that cannot be cut", DATA + "train: {batch_size: 10, accumulate: 4}\n", "not a multiple"),
    ("phases that are a word", DATA + "train: {phases: all}\n", "train.phases"),
    ("blocks below zero", DATA + "train: {phases: [{blocks: -1}]}\n", "blocks"),
    ("more blocks than there are", DATA + "train: {phases: [{blocks: 7}]}\n", "the model has 2"),
    ("a key twice", DATA + "seed: 1\nseed: 2\n", "line 3 of"),
    ("a key twice below", DATA + "train:\n  epochs: 1\n  epochs: 2\n", "'epochs' a second time"),
    ("broken YAML", DATA + "train: {epochs: 3\n", "is not YAML"),
    ("a tab", DATA + "train:\n\tepochs: 3\n", "is not YAML"),
    ("an object of Python", DATA + "seed: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    ("an anchor that is not there", DATA + "train: *shared\n", "is not YAML"),
    ("a key that is a list", "? [a, b]\n: 1\n", "line 1 of"),
    ("a key that is a mapping", "? {a: b}\n: 1\n", "line 1 of"),
    ("a key that is a number", DATA + "1: 2\n", "keys should be strings"),
    ("two documents", DATA + "---\n" + DATA, ""),
    ("a list", "- a\n- b\n", "not a recipe"),
    ("a word", "hello\n", "not a recipe"),
    ("a section that is a word", DATA + "train: fast\n", "train"),
    ("a section that is empty", DATA + "train:\n", "train"),
    ("a section that is a list", DATA + "evaluate: [accuracy]\n", "evaluate"),
    ("unknown model", DATA + "model: minlm\n", "near: minilm"),
    ("model that is an absent folder", DATA + "model: ./not-there\n", "not-there"),
    ("model with an empty name", DATA + "model: ''\n", "no model"),
    ("model that escapes", DATA + "model: ../../etc\n", "no model"),
    ("revision of a folder", DATA + "revision: abc\n", "no revision"),
    ("null bytes", DATA + "name: a\0b\n", "is not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), RECIPES, ids=[case[0] for case in RECIPES])
def test_a_bad_recipe(
    name: str,
    text: str,
    expected: str,
    cli: Cli,
    tiny_bert: Path,
    tickets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    shutil.copy(tickets, here / "tickets.csv")
    if text.startswith("data:") and "model:" not in text:
        text += f"model: {tiny_bert}\n"
    (here / "r.yaml").write_text(text)
    refused(cli("run", "r.yaml"), expected)


def test_a_recipe_that_is_not_text(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00model")
    refused(cli("run", tmp_path / "r.yaml"), "r.yaml")


def test_a_recipe_that_is_a_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").mkdir()
    refused(cli("run", tmp_path / "r.yaml"), "r.yaml")


# ---- model folders


def change_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def _other_weights(folder: Path) -> None:
    write_model(folder.parent / "other", "gpt2")
    shutil.copy(folder.parent / "other" / "model.safetensors", folder)


def _larger_tokenizer(folder: Path) -> None:
    change_json(folder / "config.json", vocab_size=12)
    shutil.rmtree(folder.parent / "small", ignore_errors=True)
    write_model(folder.parent / "small", "bert", vocab_size=12)
    shutil.copy(folder.parent / "small" / "model.safetensors", folder)


FOLDERS: list[tuple[str, Callable[[Path], Any], str]] = [
    ("no weights", lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    ("pickled weights", _pickled, "pickled"),
    ("broken safetensors", lambda f: (f / "model.safetensors").write_bytes(b"{}" * 50), "not a whole"),
    ("empty safetensors", lambda f: (f / "model.safetensors").write_bytes(b""), "not a whole"),
    ("safetensors cut short", _cut, "its header promises"),
    ("LFS pointer", lambda f: (f / "model.safetensors").write_text("version https://git-lfs"), "git lfs pull"),
    ("config is not JSON", lambda f: (f / "config.json").write_text("{"), "not JSON"),
    ("config is a list", lambda f: (f / "config.json").write_text("[]"), "not a JSON object"),
    ("config without a type", lambda f: (f / "config.json").write_text("{}"), "model_type"),
    ("no config", lambda f: (f / "config.json").unlink(), "no config.json"),
    ("unknown type", lambda f: change_json(f / "config.json", model_type="bart9"), "bart9"),
    ("type without text", lambda f: change_json(f / "config.json", model_type="vit"), ""),
    ("width that cannot be", lambda f: change_json(f / "config.json", hidden_size=33), ""),
    ("width that is a word", lambda f: change_json(f / "config.json", hidden_size="wide"), ""),
    ("no tokenizer", lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
    ("tokenizer is not JSON", lambda f: (f / "tokenizer.json").write_text("{"), "tokenizer"),
    ("tokenizer config is not JSON", lambda f: (f / "tokenizer_config.json").write_text("{"), "tokenizer_config.json"),
    ("remote code", lambda f: change_json(f / "config.json", auto_map={"AutoModel": "x.Y"}), "remote code"),
    ("tokenizer with remote code", lambda f: change_json(f / "tokenizer_config.json", auto_map={"AutoTokenizer": "x.Y"}), "remote code"),
    ("weights of another model", _other_weights, "do not fit"),
    ("tokenizer larger than the model", _larger_tokenizer, "the tokenizer gives token"),
    ("an adapter", lambda f: (f / "config.json").rename(f / "adapter_config.json"), "adapter"),
    ("an empty folder", lambda f: [p.unlink() for p in f.iterdir()], "no config.json"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "harm", "expected"), FOLDERS, ids=[case[0] for case in FOLDERS])
def test_a_bad_model_folder(
    name: str,
    harm: Callable[[Path], Any],
    expected: str,
    cli: Cli,
    tiny_bert: Path,
    tickets: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    harm(folder)
    refused(cli("run", tickets, "--model", folder), expected)


@pytest.mark.parametrize("harm", ["broken weights", "no head", "remote code", "no tokenizer"])
def test_predict_with_a_folder_that_is_no_classifier(
    harm: str, cli: Cli, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    if harm == "broken weights":
        _cut(folder)
    elif harm == "remote code":
        change_json(
            folder / "config.json",
            model_type="new",
            auto_map={"AutoModelForSequenceClassification": "x.Y", "AutoConfig": "x.Z"},
        )
    elif harm == "no tokenizer":
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer_config.json").unlink()
    refused(cli("predict", folder, "--text", "an invoice"), str(folder))


# ---- words on the command line

COMMANDS: list[tuple[list[str], str]] = [
    (["frobnicate"], "frobnicate"),
    (["run"], "nothing to run"),
    (["run", "DATA", "--modl", "x"], "--modl"),
    (["run", "DATA", "--seed", "lucky"], "lucky"),
    (["run", "DATA", "--seed"], "--seed"),
    (["run", "DATA", "another"], "another"),
    (["run", "DATA", "--until", "bake"], "stages: choose"),
    (["run", "DATA", "--set", "train.epochs"], "has no value"),
    (["run", "DATA", "--set", "=3"], "has no value"),
    (["run", "DATA", "--epochs", "3"], "did you mean --train.epochs?"),
    (["run", "DATA", "--label", "x"], "did you mean --data.columns.label?"),
    (["run", "DATA", "--backend", "jax"], "backend: "),
    (["run", "DATA", "--max-length=7"], "did you mean --train.max_length?"),
    (["run", "DATA", "--set", "data.label=x"], "did you mean 'data.columns.label'"),
    (["run", "DATA", "--set", "train.epoch=3"], "did you mean 'train.epochs'"),
    (["run", "DATA", "--set", "train.epochs=0"], "train.epochs"),
    (["run", "DATA", "--set", "train.epochs.more=1"], "train.epochs"),
    (["run", "DATA", "--set", "train.phases.0.blocks=1"], "train.phases"),
    (["run", "DATA", "--set", "train={"], "train"),
    (["run", "DATA", "--set", "data.train.x=1"], "data.train"),
    (["run", "DATA", "--group", "customer"], "customer"),
    (["run", "DATA", "--resume", "last"], "keeps its recipe"),
    (["run", "--resume", "nope"], "there are no runs"),
    (["run", "--resume", "./nope"], "no run folder"),
    (["run", ""], ""),
    (["run", "."], ""),
    (["runs", "show", "nope"], "there are no runs"),
    (["runs", "show"], "names no run"),
    (["runs", "dance"], "dance"),
    (["runs", "remove", "nope"], "there are no runs"),
    (["predict", "nope", "DATA"], "there are no runs"),
    (["predict"], "run"),
    (["test", "nope"], "there are no runs"),
    (["test"], "run"),
    (["evaluate", "nope"], "there are no runs"),
    (["models", "show", "minlm"], "near: minilm"),
    (["models", "show"], "names no model"),
    (["models", "dance"], "dance"),
    (["check", "nope.csv"], "nope.csv"),
    (["check"], "source"),
]


@pytest.mark.parametrize(("words", "expected"), COMMANDS, ids=[" ".join(c[0]) for c in COMMANDS])
def test_a_bad_command(
    words: list[str],
    expected: str,
    cli: Cli,
    tickets: Path,
    tiny_bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    words = [str(tickets) if word == "DATA" else word for word in words]
    if words[0] == "run" and str(tickets) in words and "--resume" not in words:
        words += ["--model", str(tiny_bert)]
    refused(cli(*words), expected)


def test_labels_only_in_validation_leave_no_run(cli: Cli, tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = text_rows(120)
    write_csv(folder / "train.csv", [row for row in rows[:90] if row[1] != "billing"])
    write_csv(folder / "validation.csv", rows[90:])
    said = cli("run", folder, "--model", tiny_bert)
    assert said.code == 2
    said.error()
    assert no_runs()


@pytest.mark.parametrize(
    ("settings", "wish", "split"),
    [
        (["data.split.by=group", "data.group=customer"], "data.split.by is group", "group"),
        (["data.split.by=time", "data.time=day"], "data.split.by is time", "time"),
        (["data.split.by=stratified"], "data.split.by is stratified", "stratified"),
        (["data.time=day"], "data.time is day", "time"),
    ],
)
def test_a_split_is_refused_only_where_nothing_is_left_to_split(
    settings: list[str], wish: str, split: str, cli: Cli, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = [(text, f"{label},c{i},{i}") for i, (text, label) in enumerate(text_rows(150))]
    for name, part in (("train", rows[:90]), ("validation", rows[90:120]), ("test", rows[120:])):
        write_csv(folder / f"{name}.csv", part, header="text,label,customer,day")
    words = ["run", folder, "--model", tiny_bert, "--until", "prepare", "--set", *settings]
    refused(cli(*words), f"{wish}, but train, validation and test are all given")
    assert cli(*words, "data.split.by=given").code == 0
    (folder / "validation.csv").unlink()
    said = cli(*words)
    assert said.code == 0, said.err
    assert f"split: {split}" in said.err


def test_debug_shows_the_traceback(cli: Cli) -> None:
    from tunewright.cli.main import main
    from tunewright.errors import RecipeError

    with pytest.raises(RecipeError):
        main(["run", "--debug"])
