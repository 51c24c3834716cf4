import importlib.metadata
from pathlib import Path

import huggingface_hub.errors
import pytest
from folder_example import model_files, tiny_entry, write_folder

from tunewright.errors import FailedRunError, ModelError
from tunewright.pretrained import catalog, named
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.entries import ENTRIES, HubSource
from tunewright.pretrained.hub import is_hub_id
from tunewright.pretrained.listing import list_models, show_model


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, an empty working directory, and a hub that nobody reaches."""
    monkeypatch.setenv("TUNEWRIGHT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    hub_answers(monkeypatch, huggingface_hub.errors.LocalEntryNotFoundError("no network"))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a, **k: None)
    return tmp_path / "here"


def hub_answers(monkeypatch: pytest.MonkeyPatch, answer: Exception | Path) -> None:
    def snapshot_download(*args: object, **kwargs: object) -> str:
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)


def test_every_catalog_entry_is_complete_and_named_once():
    rows = list_models()
    assert len(rows) == len({row["name"] for row in rows}) >= 5
    assert rows[0]["name"] == "minilm"
    for row, entry in zip(rows, ENTRIES, strict=False):
        assert row["cached"] is False
        assert row["where"] in ("package", "hub")
        assert entry.parameters > 1_000_000
        assert entry.licence
        assert entry.tasks
        assert is_hub_id(entry.base)


def test_a_local_folder_is_a_model(alone: Path):
    write_folder(alone / "mine")
    source = resolve_model("mine")
    assert (source.name, source.base, source.path) == ("mine", str(alone / "mine"), alone / "mine")
    assert source.licence == "apache-2.0"
    assert len(source.sha256) == 64
    assert show_model("mine")["intact"] is True
    with pytest.raises(ModelError, match="no revision"):
        resolve_model("mine", revision="abc")


def test_a_bad_local_folder_is_told_not_sought_on_the_hub(alone: Path):
    write_folder(alone / "mine", tokenizer_json=None)
    with pytest.raises(ModelError, match="no tokenizer"):
        resolve_model("mine")
    shown = show_model("mine")
    assert shown["intact"] is False
    assert "tokenizer" in shown["problem"]["what"]


def test_a_misspelt_name_names_the_near_ones(alone: Path):
    write_folder(alone / "my-model")
    with pytest.raises(ModelError, match="near: minilm"):
        resolve_model("minilmm")
    with pytest.raises(ModelError, match="near: my-model"):
        resolve_model("my-modell")
    with pytest.raises(ModelError, match="near: minilm"):
        show_model("minilmm")


@pytest.mark.parametrize("name", ["", "./absent", "/absent/model", "a/b/c", "a b", "x" * 200])
def test_a_name_that_nothing_has_is_refused_in_two_lines(name: str):
    with pytest.raises(ModelError, match="no model") as caught:
        resolve_model(name)
    assert "\n" not in caught.value.what


def test_a_folder_that_is_no_model_is_told_so():
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve_model("..")


def test_offline_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelError, match="cannot be reached"):
        resolve_model("distilbert-uncased")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        resolve_model("someone/something")


def test_a_hub_model_is_checked_like_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hub_answers(monkeypatch, write_folder(tmp_path / "snapshot"))
    source = resolve_model("someone/tiny", revision="abc")
    assert (source.base, source.licence) == ("someone/tiny", "apache-2.0")
    (tmp_path / "snapshot" / "config.json").write_text('{"model_type": "x", "auto_map": {"a": 1}}')
    with pytest.raises(ModelError, match="remote code is never run"):
        resolve_model("someone/tiny")


def test_a_hub_model_with_pickled_weights_only_is_refused(tmp_path, monkeypatch):
    hub_answers(monkeypatch, write_folder(tmp_path / "snapshot", model__safetensors=None))
    with pytest.raises(ModelError, match="no safetensors weights on the hub"):
        resolve_model("someone/tiny")


@pytest.mark.parametrize("name", ["kaggle://keras/bert/keras/bert_tiny_en_uncased", "gs://a/b"])
def test_a_handle_of_another_place_is_refused_as_that(name: str):
    with pytest.raises(ModelError, match="neither on this machine nor on the Hugging Face hub"):
        resolve_model(name)


def test_a_preset_on_the_hub_is_fetched_whole_and_made_into_a_folder(tmp_path, monkeypatch):
    preset = write_folder(tmp_path / "preset", model__safetensors=None)
    (preset / "config.json").write_text('{"registered_name": "keras_hub>BertBackbone"}')
    asked: list[list[str]] = []

    def snapshot_download(repo: str, *, allow_patterns: list[str], **other: object) -> str:
        asked.append(allow_patterns)
        return str(preset)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    made = write_folder(tmp_path / "made")
    monkeypatch.setattr(catalog, "made_of", lambda folder: made)
    source = resolve_model("hf://someone/bert-preset")
    assert (source.path, source.base) == (made, "someone/bert-preset")
    assert "model.weights.h5" in asked[1]
    assert "assets/tokenizer/*" in asked[1]


def test_any_other_failure_of_the_hub_is_one_line(monkeypatch: pytest.MonkeyPatch):
    hub_answers(monkeypatch, RuntimeError("first\nsecond"))
    with pytest.raises(ModelError, match=r"could not be fetched from the hub: first\n"):
        resolve_model("someone/tiny")


def test_a_full_disk_while_fetching_is_a_full_disk(monkeypatch: pytest.MonkeyPatch):
    hub_answers(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(FailedRunError, match="the disk is full"):
        resolve_model("someone/tiny")


def test_an_entry_point_adds_a_model_and_is_imported_only_when_named(monkeypatch):
    loaded: list[str] = []

    class Point:
        name, value = "tiny", "some_package:entry"

        def load(self) -> object:
            loaded.append(self.name)
            return tiny_entry()

    def entry_points(*, group: str, name: str = "tiny") -> list[Point]:
        return [Point()] if (group, name) == (named.ENTRY_POINTS, "tiny") else []

    monkeypatch.setattr(named, "entry_points", entry_points)
    listed = {named.ENTRY_POINTS: [Point()], named.SOURCES: []}
    monkeypatch.setattr("tunewright.pretrained.listing.entry_points", lambda group: listed[group])
    assert list_models()[-1]["name"] == "tiny"
    assert loaded == []
    assert named.find_entry("tiny") == tiny_entry()
    assert loaded == ["tiny"]


def source_that_is(monkeypatch: pytest.MonkeyPatch, fetch: object) -> None:
    class Point:
        name, value = "shelf", "some_package:fetch"

        def load(self) -> object:
            return fetch

    def entry_points(*, group: str, name: str = "shelf") -> list[Point]:
        return [Point()] if (group, name) == (named.SOURCES, "shelf") else []

    monkeypatch.setattr(named, "entry_points", entry_points)
    monkeypatch.setattr("tunewright.pretrained.listing.entry_points", entry_points)


def test_a_package_adds_a_source_of_models_by_entry_point(alone: Path, monkeypatch):
    asked = []

    def fetch(address: str, revision: str | None) -> Path:
        asked.append((address, revision))
        return write_folder(alone / "fetched")

    source_that_is(monkeypatch, fetch)
    assert list_models()[-1]["name"] == "shelf://…"
    found = resolve_model("shelf://tiny", revision="7")
    assert (found.name, found.base, found.path) == (
        *("shelf://tiny", "shelf://tiny"),
        alone / "fetched",
    )
    assert asked == [("shelf://tiny", "7")]
    with pytest.raises(ModelError, match="nothing else is asked"):
        resolve_model("other://tiny")


def test_a_source_that_fails_is_told_in_two_lines(alone: Path, monkeypatch):
    def fetch(address: str, revision: str | None) -> Path:
        raise RuntimeError("the shelf is empty\nreally")

    source_that_is(monkeypatch, fetch)
    with pytest.raises(ModelError, match=r"shelf://tiny could not be fetched .*is empty\n"):
        resolve_model("shelf://tiny")
    source_that_is(monkeypatch, 7)
    with pytest.raises(ModelError, match="gives int, not a function"):
        resolve_model("shelf://tiny")
    source_that_is(monkeypatch, lambda address, revision: alone / "absent")
    with pytest.raises(ModelError, match="absent is not a model folder"):
        resolve_model("shelf://tiny")


@pytest.mark.parametrize("value", ["json:loads", "absent_package:entry"])
def test_a_broken_entry_point_is_named(monkeypatch: pytest.MonkeyPatch, value: str):
    point = importlib.metadata.EntryPoint("tiny", value, named.ENTRY_POINTS)
    monkeypatch.setattr(named, "entry_points", lambda **wanted: [point])
    with pytest.raises(ModelError, match=value):
        resolve_model("tiny")


def test_a_hub_entry_shows_itself_without_fetching():
    shown = show_model("distilbert-uncased")
    assert (shown["cached"], shown["path"], shown["intact"]) == (False, None, None)
    assert isinstance(named.find_entry("distilbert-uncased").source, HubSource)
    assert set(model_files()) == {"config.json", "model.safetensors", "tokenizer.json", "README.md"}
