"""`--help`: of every command, quickly, and without a framework."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from tunewright.cli.main import COMMANDS, main

FRAMEWORKS = {"torch", "transformers", "sklearn", "scipy", "pandas", "tensorflow", "datasets"}
ASK_FOR_HELP = """
import contextlib, io, json, sys
from tunewright.cli.main import main
for words in {asked}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(words)
sys.stdout.write(json.dumps(sorted({{name.split(".")[0] for name in sys.modules}})))
"""


def loaded_after(asked: list[list[str]]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP.format(asked=asked)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_help_of_every_command_loads_no_framework() -> None:
    asked = [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
    assert FRAMEWORKS & loaded_after(asked) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    said = capsys.readouterr()
    assert end.value.code == 0
    assert said.out.startswith(f"Usage: tunewright {name}")
    assert len(said.out.splitlines()) > 2
    assert said.err == ""


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert [name for name in COMMANDS if name not in said] == []


def test_an_unknown_command_is_a_wrong_request(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["rum"])
    said = capsys.readouterr()
    assert end.value.code == 2
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["error", "fix"]


def test_how_long_help_takes(record_property: Callable[[str, object], None]) -> None:
    """Told, not judged: a busy machine proves nothing. The aim is 0.3 s."""

    def processor_s() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    seconds = []
    for _ in range(5):
        before = processor_s()
        subprocess.run(
            [sys.executable, "-m", "tunewright.cli.main", "--help"], capture_output=True, check=True
        )
        seconds.append(processor_s() - before)
    record_property("help_processor_s", min(seconds))
    sys.stdout.write(f"tunewright --help: {min(seconds):.2f} s of processor time, best of 5\n")
