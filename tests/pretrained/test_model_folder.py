import hashlib
import json
from pathlib import Path

import pytest
from folder_example import model_files, safetensors_bytes, write_folder

from tunewright.errors import ModelError
from tunewright.pretrained.folder import check_folder, read_languages, read_licence, weights_sha256

WEIGHTS = "model.safetensors"


def take_out(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def shard(folder: Path, **names: str) -> None:
    index = {"weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_a_whole_folder_passes_and_its_hash_is_the_files(tmp_path: Path):
    folder = check_folder(write_folder(tmp_path))
    assert folder.config["model_type"] == "bert"
    assert folder.weights == (tmp_path / WEIGHTS,)
    assert weights_sha256(folder.weights) == hashlib.sha256(safetensors_bytes()).hexdigest()


def test_a_sharded_folder_passes_and_every_shard_counts_in_the_hash(tmp_path: Path):
    write_folder(tmp_path)
    (tmp_path / WEIGHTS).rename(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(safetensors_bytes(b"\x01" * 4))
    shard(tmp_path, x="b.safetensors", y="a.safetensors")
    weights = check_folder(tmp_path).weights
    assert [path.name for path in weights] == ["a.safetensors", "b.safetensors"]
    before = weights_sha256(weights)
    (tmp_path / "b.safetensors").write_bytes(safetensors_bytes(b"\x02" * 4))
    assert weights_sha256(weights) != before


def pickled(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    (folder / "pytorch_model.bin").write_bytes(b"\x80")


def only_pt(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    (folder / "weights.pt").write_bytes(b"\x80")


def adapter(folder: Path) -> None:
    take_out(folder, "config.json", WEIGHTS)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(safetensors_bytes())


def adapter_with_config(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(safetensors_bytes())


def other_name(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "weights.safetensors")


def missing_shard(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    shard(folder, x="model-00001-of-00001.safetensors")


def escaping_shard(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    shard(folder, x="../secret.safetensors")


def pickled_shard(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    shard(folder, x="pytorch_model-1.bin")


def broken_index(folder: Path) -> None:
    take_out(folder, WEIGHTS)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3')


def cut_short(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(safetensors_bytes()[:-1])


def overwrite(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


BAD = [
    (lambda f: take_out(f, "config.json"), "no config.json"),
    (overwrite("config.json", b"{not json"), "not JSON"),
    (overwrite("config.json", b"\xff\xfe"), "not JSON"),
    (overwrite("config.json", b"[]"), "not a JSON object"),
    (overwrite("config.json", b"{}"), "model_type"),
    (lambda f: change_config(f, auto_map={"AutoModel": "x.Y"}), "remote code is never run"),
    (overwrite("tokenizer_config.json", b'{"auto_map": {"a": "b"}}'), "remote code is never run"),
    (lambda f: take_out(f, WEIGHTS), "no weights"),
    (pickled, "only pickled weights"),
    (only_pt, "only pickled weights"),
    (adapter, "an adapter"),
    (adapter_with_config, "an adapter"),
    (other_name, "no model.safetensors"),
    (missing_shard, "lacks 1 of 1"),
    (escaping_shard, "not safetensors of this folder"),
    (pickled_shard, "not safetensors of this folder"),
    (broken_index, "lists no weight files"),
    (cut_short, "its header promises"),
    (overwrite(WEIGHTS, b""), "not a whole safetensors"),
    (overwrite(WEIGHTS, b"\xff" * 100), "not a whole safetensors"),
    (overwrite(WEIGHTS, (4).to_bytes(8, "little") + b"null"), "not a whole safetensors"),
    (overwrite(WEIGHTS, b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
    (lambda f: take_out(f, "tokenizer.json"), "no tokenizer"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD)
def test_a_bad_folder_is_refused_with_its_reason_and_a_fix(tmp_path: Path, spoil, said: str):
    spoil(write_folder(tmp_path))
    with pytest.raises(ModelError, match=said) as caught:
        check_folder(tmp_path)
    assert caught.value.fix
    assert "\n" not in caught.value.what


def test_a_file_or_nothing_is_no_folder(tmp_path: Path):
    (tmp_path / "file").touch()
    for name in ("file", "absent"):
        with pytest.raises(ModelError, match="not a model folder"):
            check_folder(tmp_path / name)


def test_pickled_weights_beside_safetensors_are_simply_not_used(tmp_path: Path):
    write_folder(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80")
    assert check_folder(tmp_path).weights == (tmp_path / WEIGHTS,)


def test_training_arguments_are_not_taken_for_weights(tmp_path: Path):
    write_folder(tmp_path)
    take_out(tmp_path, WEIGHTS)
    (tmp_path / "training_args.bin").write_bytes(b"\x80")
    with pytest.raises(ModelError, match="no weights"):
        check_folder(tmp_path)


def test_the_licence_is_read_from_the_card(tmp_path: Path):
    assert read_licence(write_folder(tmp_path)) == "apache-2.0"
    assert read_languages(tmp_path) is None


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("language: en", "en"),
        ("language:\n- de\n- en", "de, en"),
        ("language: [a, b, c, d, e, f]", "a, b, c, d, 2 more"),
        ("language: [", None),
        ("- language", None),
    ],
)
def test_the_languages_are_those_of_the_card(tmp_path: Path, front: str, told: str | None):
    write_folder(tmp_path)
    (tmp_path / "README.md").write_text(f"---\n{front}\n---\n# Tiny\n")
    assert read_languages(tmp_path) == told
    (tmp_path / "README.md").write_text("license: mit, says the prose")
    assert read_licence(tmp_path) is None
    (tmp_path / "README.md").unlink()
    assert read_licence(tmp_path) is None


def test_the_example_files_are_what_the_format_says(tmp_path: Path):
    from safetensors import safe_open

    (tmp_path / WEIGHTS).write_bytes(model_files()[WEIGHTS])
    with safe_open(tmp_path / WEIGHTS, "np") as file:
        assert list(file.keys()) == ["w"]
