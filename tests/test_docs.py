"""Every block in the README and in docs/ runs.

The blocks of a page run in order, in a folder with the files of examples/, a tiny model and one
finished run. There `minilm` is that tiny model, so that commands are shown as a user writes them.
"""

import contextlib
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from openai_service import serving
from openai_service.server import KEY
from tiny_chats import write_chat_model
from tunewright import baselining, checking, choosing, life
from tunewright.backends.openai import presets
from tunewright.cli.main import COMMANDS, main
from tunewright.pretrained import catalog
from tunewright.recipe.load import load_recipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NETWORK = "# needs: network"
SHELL_SIGNS = set("|<>$&;`*\\")
STAND_IN = """\
import os
import tunewright.pretrained.catalog as catalog

_resolve = catalog.resolve_model
_tiny = {"minilm": os.environ["DOCS_MODEL"], "smollm2": os.environ["DOCS_WRITER"]}
catalog.resolve_model = lambda name, **rest: _resolve(_tiny.get(name, name), **rest)
"""


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
OFFLINE = [block for block in BLOCKS if not block.text.startswith(NETWORK)]


def check_recipe(block: Block, folder: Path) -> None:
    name = re.match(r"# ([\w-]+\.yaml)\n", block.text)
    assert name, f"{block.place}: the first line names the file, as in `# recipe.yaml`"
    (folder / name[1]).write_text(block.text, "utf-8")
    load_recipe(folder / name[1])


def commands_of(block: Block) -> list[str]:
    """The block's lines; a `make` line need only name targets that there are."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    lines = [line for line in block.text.splitlines() if not line.startswith("#")]
    for line in lines:
        if line.startswith("make "):
            assert set(line.split()[1:]) <= targets, f"{block.place}: {line}"
    return [line for line in lines if not line.startswith("make ")]


def is_plain(line: str) -> bool:
    """Whether no shell is needed: then it runs in this process, which saves the imports."""
    return line.startswith("tunewright ") and not SHELL_SIGNS & set(line)


def run_in_shell(block: Block, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands_of(block))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{block.place}\n{block.text}\n{done.stdout}\n{done.stderr}"


def run_here(line: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(shlex.split(line)[1:])
    assert end.value.code == 0, line


def environment(**more: str) -> dict[str, str]:
    """For a shell: this Python's commands, one thread, runs in the working directory."""
    kept = {key: value for key, value in os.environ.items() if key != "TUNEWRIGHT_RUNS"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples and the tiny model."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)
    runpy.run_path(str(ROOT / "examples" / "tiny_model.py"))["write_tiny_model"](
        folder / "tiny-model"
    )
    write_chat_model(folder / "tiny-writer")
    return folder


@pytest.fixture
def folder(
    desk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_thread: None,
) -> Iterator[Path]:
    """What a page finds: the desk, and one finished run with its seal closed."""
    shutil.copytree(desk, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCS_MODEL", str(desk / "tiny-model"))
    monkeypatch.setenv("DOCS_WRITER", str(desk / "tiny-writer"))
    monkeypatch.delenv("TUNEWRIGHT_RUNS", raising=False)
    exec(STAND_IN, {})
    for module in (baselining, checking, choosing, life):
        monkeypatch.setattr(module, "resolve_model", catalog.resolve_model)
    run_here("tunewright run tickets.csv --set train.strategy=head --set train.epochs=1")
    yield tmp_path
    end_server(tmp_path / "serve.pid")


def end_server(pid_file: Path) -> None:
    """A page that failed half way has left its server behind."""
    if pid_file.is_file():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGTERM)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for the service of the pages, at the address of the preset openai."""
    known = presets.KNOWN["openai"]
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(script=("queued", "succeeded")) as found:
        monkeypatch.setitem(presets.KNOWN, "openai", replace(known, base_url=found.url))
        yield


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the module path that makes `minilm` the tiny model in every process."""
    monkeypatch.setattr(catalog, "resolve_model", catalog.resolve_model)
    hook = tmp_path_factory.mktemp("hook")
    (hook / "sitecustomize.py").write_text(STAND_IN)
    return hook


def told(page: Path) -> Any:
    """A page as a parameter; one whose blocks take minutes is slow."""
    marks = [pytest.mark.slow] if page.name == "language.md" else []
    return pytest.param(page, marks=marks, id=page.name)


@pytest.mark.parametrize(
    "page", [told(page) for page in PAGES if any(b.page == page for b in OFFLINE)]
)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, stand_in: Path, folder: Path, service: None
) -> None:
    shell = environment(PYTHONPATH=os.pathsep.join([str(stand_in), *sys.path[1:]]))
    for block in (b for b in OFFLINE if b.page == page):
        if block.language == "yaml":
            check_recipe(block, folder)
        elif block.language == "python":
            exec(compile(block.text, block.place, "exec"), {"__name__": "__main__"})
        elif block.language == "bash" and all(map(is_plain, commands_of(block))):
            for line in commands_of(block):
                run_here(line)
        elif block.language == "bash":
            run_in_shell(block, folder, shell)


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b not in OFFLINE], ids=lambda block: block.place
)
def test_a_block_that_needs_the_network_runs(block: Block, tmp_path: Path) -> None:
    run_in_shell(block, tmp_path, environment())


def test_so_many_blocks_were_found() -> None:
    count = {
        language: sum(block.language == language for block in BLOCKS)
        for language in ("bash", "python", "yaml")
    }
    assert count == {"bash": 53, "python": 12, "yaml": 13}
    assert {block.language for block in BLOCKS} <= {"bash", "python", "yaml", ""}
    assert len(BLOCKS) - len(OFFLINE) == 1


def test_every_link_between_pages_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    ]
    assert len(links) > 20
    assert [
        (page.name, target) for page, target in links if not (page.parent / target).exists()
    ] == []


def test_every_command_is_in_the_readme() -> None:
    listed = re.findall(
        r"^\| `([a-z-]+)[ `]", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(COMMANDS)


def test_the_table_of_recipe_keys_is_up_to_date() -> None:
    maker = runpy.run_path(str(ROOT / "docs" / "make_recipe.py"))
    text = (ROOT / "docs" / "recipe.md").read_text("utf-8")
    assert maker["page"](text) == text, "run: python docs/make_recipe.py"


def test_the_docs_explain_only_keys_that_the_schema_leaves_bare() -> None:
    maker = runpy.run_path(str(ROOT / "docs" / "make_recipe.py"))
    bare = {place for place, field in maker["keys"]() if "description" not in field}
    assert set(maker["MEANING"]) == bare
