import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tunewright import diagnosis
from tunewright.cores import quota_cores, usable_cores
from tunewright.diagnosis import doctor, find_problems, installed_version

FINE = {
    "versions": {"torch": "2"},
    "device": {"kind": "cpu"},
    "pip": True,
    "cache": {"models": []},
    "disk": {"runs": {"folder": "runs", "writable": True, "free_gib": 9.0}},
    "memory": {"available_gib": 9.0},
}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(diagnosis, "WIDTH", 32)
    monkeypatch.setattr("tunewright.backends.torch.device.MEASURE_S", 0.01)


@pytest.mark.usefixtures("small")
def test_the_facts_are_json_and_true(tmp_path: Path):
    facts = json.loads(json.dumps(doctor()))
    assert facts["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert facts["versions"]["torch"]
    assert facts["device"]["fp32_gflops"] > 0
    assert facts["cache"] == {"folder": str(tmp_path / "cache"), "models": []}
    assert facts["disk"]["runs"]["writable"] is True
    assert not (tmp_path / "runs").exists()


def test_a_machine_without_faults_has_no_problems():
    assert find_problems(FINE) == []


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("versions", "torch", None, "torch is not installed"),
        ("device", "error", "libfoo is missing", "libfoo is missing"),
        ("memory", "available_gib", 0.5, "0.5 GiB of memory"),
    ],
)
def test_each_fault_is_a_problem_with_a_fix(section: str, key: str, value: object, said: str):
    facts = copy.deepcopy(FINE)
    facts[section][key] = value
    (problem,) = find_problems(facts)
    assert said in problem["what"]
    assert problem["fix"]


@pytest.mark.parametrize(("key", "value"), [("writable", False), ("free_gib", 0.1)])
def test_a_disk_that_is_full_or_closed_is_a_problem(key: str, value: object):
    facts = copy.deepcopy(FINE)
    facts["disk"]["runs"][key] = value
    (problem,) = find_problems(facts)
    assert "TUNEWRIGHT_RUNS" in problem["fix"]


def test_no_pip_is_a_problem_only_while_the_default_model_is_not_cached():
    facts = copy.deepcopy(FINE) | {"pip": False}
    (problem,) = find_problems(facts)
    assert "ensurepip" in problem["fix"]
    assert find_problems(facts | {"cache": {"models": ["minilm"]}}) == []


@pytest.mark.parametrize(
    ("content", "cores"),
    [("max 100000", float("inf")), ("150000 100000", 1.5), ("odd", float("inf"))],
)
def test_the_containers_quota_is_read(tmp_path: Path, content: str, cores: float):
    (tmp_path / "cpu.max").write_text(content)
    assert quota_cores(tmp_path / "cpu.max") == cores
    assert quota_cores(tmp_path / "absent") == float("inf")
    assert usable_cores() > 0


def test_a_package_that_is_not_there_has_no_version():
    assert installed_version("surely-not-installed-anywhere") is None


def test_importing_these_modules_loads_no_framework():
    code = (
        "import sys, tunewright.diagnosis, tunewright.pretrained.catalog, tunewright.history.index\n"
        "import tunewright.pretrained.example_data\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("asked", "used"), [(None, "10000"), ("7", "7")])
def test_waiting_threads_sleep_soon_unless_asked_otherwise(asked: str | None, used: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
    if asked is not None:
        environment["GOMP_SPINCOUNT"] = asked
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import tunewright.backends.torch, os; print(os.environ['GOMP_SPINCOUNT'])",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == used


@pytest.mark.parametrize(("asked", "used"), [("1", 1), ("", None), ("many", None), ("9999", None)])
def test_openmps_own_limit_is_kept(
    monkeypatch: pytest.MonkeyPatch, asked: str, used: int | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    free = usable_cores()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert usable_cores() == (used or free)


@pytest.mark.parametrize(
    ("cores", "rates", "chosen"),
    [
        (1, {}, 1),
        (8, {4: 100.0, 8: 190.0}, 8),
        (8, {4: 100.0, 8: 104.0}, 4),
        (2, {1: 9.0, 2: 5.0}, 1),
    ],
)
def test_threads_are_as_many_as_are_faster(
    monkeypatch: pytest.MonkeyPatch, cores: int, rates: dict[int, float], chosen: int
) -> None:
    import torch

    from tunewright.backends.torch import session

    made = object.__new__(session.TorchSession)
    made.device, made.width = torch.device("cpu"), 8
    monkeypatch.setattr(session, "usable_cores", lambda: cores)
    monkeypatch.setattr(session.TorchSession, "_rate_of", lambda _, threads: rates[threads])
    assert made.choose_threads()[0] == chosen


def test_an_extra_is_named_where_it_lacks():
    said = diagnosis._extra(("pytest", "surely-not-installed-anywhere"), "pip install it")
    assert said == "lacks surely-not-installed-anywhere (pip install it)"
    assert diagnosis._extra(("pytest",), "pip install it") == f"pytest {pytest.__version__}"
