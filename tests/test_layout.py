"""The shape of the code: which way imports point, what is loaded when, what files are called.

A room is a package or a file directly under src/tunewright.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
FLOORS = (
    {"errors"},
    {"durable", "cache", "cores"},
    {"recipe"},
    {"data", "pretrained", "history", "tasks"},
    {"train", "evaluation", "export", "backends"},
    {
        "life",
        "adapting",
        "few_rows",
        "few_shot",
        "forgetting",
        "grading",
        "forgotten",
        "finished",
        "publishing",
        "judging",
        "evaluating",
        "answering",
        "writing",
        "token_truth",
        "exporting",
        "inference",
        "checking",
        "comparing",
        "advising",
        "repeating",
        "telling",
        "choosing",
        "requiring",
        "baselining",
        "hosting",
        "moving",
        "stages",
        "ways",
        "features",
        "diagnosis",
        "inventory",
        "suspecting",
        "warm_start",
        "zero_shot",
        "augmenting",
        "training",
        "deciding",
        "planning",
        "rehearsing",
        "tuning",
    },
    {"serve", "web"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Within one floor: the loop and the backends share the Protocol and the phases; the stages
# of a run and what can be asked of it afterwards are one floor's own business.
SIDEWAYS = {("train", "backends"), ("backends", "train")}
STAGES = FLOORS[5]
FRAMEWORKS = {
    "torch",
    "transformers",
    "tensorflow",
    "keras",
    "peft",
    "sklearn",
    "scipy",
    "pandas",
    "openai",
}
FRAMEWORKS_OF_BACKENDS = {"torch", "transformers", "peft", "tensorflow", "keras", "openai"}
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "base"}
LONGEST_FILE = 400


@dataclass(frozen=True)
class Import:
    """`by` imports `what`, both as full module names.

    Args:
        lazily: within a function, or for the type checker alone.
        for_types: under TYPE_CHECKING.
    """

    by: str
    what: str
    lazily: bool
    for_types: bool


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


FILES = sorted((SRC / "tunewright").rglob("*.py"))
MODULES = {module_name(path) for path in FILES}


def imports_in(
    node: ast.AST, by: str, *, lazily: bool = False, for_types: bool = False
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for name in child.names:
                yield Import(by, name.name, lazily, for_types)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{by} has a relative import"
            for name in child.names:
                inner = f"{child.module}.{name.name}"
                yield Import(
                    by, inner if inner in MODULES else str(child.module), lazily, for_types
                )
        typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from imports_in(
            child, by, lazily=lazily or function or typing, for_types=for_types or typing
        )


IMPORTS = [
    found
    for path in FILES
    for found in imports_in(ast.parse(path.read_text("utf-8")), module_name(path))
]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def within(found: Import) -> bool:
    """Whether it is an import of one room by another."""
    inside = found.what.split(".")[0] == "tunewright"
    return inside and room(found.by) not in ("", room(found.what)) and room(found.what) != ""


def test_every_room_has_a_floor() -> None:
    rooms = {room(module) for module in MODULES} - {""}
    assert len(rooms) > 10
    assert rooms - set(FLOOR) == set()


def test_imports_point_one_way() -> None:
    def is_allowed(by: str, what: str) -> bool:
        sideways = (by, what) in SIDEWAYS or {by, what} <= STAGES
        return FLOOR[what] < FLOOR[by] or sideways

    wrong = [
        f"{found.by} imports {found.what}"
        for found in IMPORTS
        if within(found)
        and not found.for_types
        and not is_allowed(room(found.by), room(found.what))
    ]
    assert wrong == []


def test_the_loop_knows_backends_by_their_protocol_alone() -> None:
    known = {
        found.what for found in IMPORTS if room(found.by) == "train" and "backends" in found.what
    }
    assert known == {"tunewright.backends.base"}


def test_no_module_needs_itself_to_be_imported() -> None:
    needs: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        if found.what in MODULES and not found.lazily and found.what != found.by:
            needs[found.by].add(found.what)
    try:
        assert len(tuple(TopologicalSorter(needs).static_order())) == len(MODULES)
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_only_a_backend_imports_its_framework() -> None:
    """`doctor` may ask a framework what it sees, within a function."""
    wrong = [
        f"{found.by} imports {found.what}"
        for found in IMPORTS
        if found.what.split(".")[0] in FRAMEWORKS_OF_BACKENDS
        and not found.by.startswith("tunewright.backends.")
        and not (found.by == "tunewright.diagnosis" and found.lazily)
    ]
    assert wrong == []


def test_a_backend_is_imported_only_when_a_run_starts() -> None:
    wrong = [
        f"{found.by} imports {found.what}"
        for found in IMPORTS
        if found.what.startswith(("tunewright.backends.torch", "tunewright.backends.keras"))
        and not found.by.startswith("tunewright.backends.")
        and not found.lazily
    ]
    assert wrong == []


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that are loaded after this code."""
    tell = "import json, sys; sys.stdout.write(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_no_framework() -> None:
    assert FRAMEWORKS & loaded_by("import tunewright") == set()


def test_the_library_of_adapters_is_loaded_only_where_adapters_are_asked_for() -> None:
    assert "peft" not in loaded_by("import tunewright.backends.torch.session")


def test_reading_a_recipe_loads_no_framework() -> None:
    assert FRAMEWORKS & loaded_by("import tunewright.recipe.load") == set()


def test_importing_the_package_changes_no_environment_and_no_logging() -> None:
    code = (
        "import logging, os\n"
        "before = dict(os.environ), list(logging.root.handlers), logging.root.level\n"
        "import tunewright\n"
        "assert before == (dict(os.environ), list(logging.root.handlers), logging.root.level)\n"
    )
    assert "tunewright" in loaded_by(code)


def test_no_file_is_too_long() -> None:
    lines = {str(p.relative_to(SRC)): p.read_text("utf-8").count("\n") for p in FILES}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_no_file_is_a_grab_bag() -> None:
    """`backends/base.py` is a Protocol and nothing else."""
    protocol = SRC / "tunewright" / "backends" / "base.py"
    assert [p.name for p in FILES if p.stem in BANNED_NAMES and p != protocol] == []


def own_files() -> list[Path]:
    """What belongs to the project: no environments, caches, runs or build output."""
    left_out = {"__pycache__", "build", "dist", "runs", "node_modules"}
    found = []
    for folder, folders, files in os.walk(ROOT):
        top = Path(folder) == ROOT
        folders[:] = [
            name
            for name in folders
            if name not in left_out
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or (top and name == ".ci"))
        ]
        found += [Path(folder, name) for name in files]
    return found


def test_nothing_names_the_place_where_it_was_made() -> None:
    """No registry host, proxy or path of one machine; a user's own settings hold for these."""
    places = re.compile(
        r"https?://[^\s/\"']*(?:pypi|pythonhosted|artifactory|nexus|mirror)"
        r"|(?<![\w.])/(?:work|root|home/[a-z]+)/"
        r"|--(?:extra-)?index-url|--trusted-host",
        re.IGNORECASE,
    )
    files = [path for path in own_files() if path != Path(__file__)]
    assert len(files) > 100
    wrong = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in files
        if path.suffix not in (".safetensors", ".parquet", ".png")
        for found in [places.search(path.read_text("utf-8", errors="replace"))]
        if found
    ]
    assert wrong == []
