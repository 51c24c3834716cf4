"""Every recipe key is a flag too."""

import inspect

import pytest
from pydantic import BaseModel

from tunewright.cli.main import main, recipe_flags
from tunewright.cli.run import run_command
from tunewright.recipe.schema import Recipe


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--train.epochs", "3"], ["--set", "train.epochs=3"]),
        (["--data.columns.label=kind"], ["--set", "data.columns.label=kind"]),
        (["--set", "train.epochs=3", "--json"], ["--json", "--set", "train.epochs=3"]),
        (["--train.epochs", "1", "a.csv"], ["a.csv", "--set", "train.epochs=1"]),
        (["--set", "seed=1", "name=b", "a.csv"], ["a.csv", "--set", "seed=1", "--set", "name=b"]),
        (["--set", "train.epochs"], ["--set", "train.epochs"]),
        (["a.csv", "--set", "--json"], ["a.csv", "--set", "--json"]),
        (["a.csv", "--model", "x.y"], ["a.csv", "--model", "x.y"]),
    ],
)
def test_a_dotted_flag_is_a_setting(words: list[str], meant: list[str]) -> None:
    assert recipe_flags(words) == meant


def test_a_dotted_flag_that_is_no_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "a.csv", "--train.epoch", "3"])
    assert stopped.value.code == 2
    assert "did you mean 'train.epochs'?" in capsys.readouterr().err


def test_an_unknown_command_is_sent_to_the_list_of_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["rnu", "a.csv"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith("fix: see tunewright --help\n")


def test_too_little_memory_is_no_fault_of_ours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tunewright.cli.main.app", full)
    with pytest.raises(SystemExit) as stopped:
        main(["run", "a.csv"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("error: there is not enough memory")


def test_every_key_at_the_top_of_a_recipe_is_a_flag_or_an_option_of_run() -> None:
    options = inspect.signature(run_command).parameters
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if name not in options and not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            assert recipe_flags([f"--{name}", "x"]) == ["--set", f"{name}=x"]
