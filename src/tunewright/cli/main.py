"""`tunewright COMMAND`: finds the command, and turns errors into two lines and an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError

from tunewright.errors import TunewrightError

COMMANDS = {
    "run": "Fine-tune: from a recipe or a data file to a model, a report and a verdict.",
    "check": "Say what is wrong with data, with place and fix.",
    "choose": "Rank pre-trained models on your own rows, before anything is tuned.",
    "tune": "Search for better settings inside a budget.",
    "plan": "What a run would take: memory, time, disk, before it is paid.",
    "models": "The catalog of pre-trained models.",
    "predict": "Answer for a file, a pipe or one text.",
    "chat": "Talk to a language model and to its base, side by side.",
    "evaluate": "Scores with intervals and error analysis.",
    "compare": "Hold runs against each other, row by row.",
    "test": "Open the seal: final scores and final verdict.",
    "export": "Take a model away as a Keras, SavedModel, TensorFlow Lite or GGUF file.",
    "runs": "What there is: list, show, remove.",
    "serve": "The OpenAI fine-tuning API over local runs.",
    "worker": "Train the jobs of a server.",
    "keys": "API keys of the server: create, list, revoke.",
    "doctor": "What is installed, and what would not work.",
    "schema": "Every recipe key, as a JSON schema.",
    "example": "Fetch real example data.",
    "import-openai": "Old jobs of a service become recipes that train the like here.",
}


_KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+|backend|task|revision")  # the others are options of run
_SETTING = re.compile(r"[a-z_][a-z_.0-9]*=")


def _version() -> str:
    from importlib.metadata import version

    return version("tunewright")


app = App(
    name="tunewright",
    help="Fine-tune a pre-trained model on your own data, from a file to a number you can believe.",
    version=_version,
)
for _name, _does in COMMANDS.items():
    _module = _name.replace("-", "_")
    app.command(f"tunewright.cli.{_module}:{_module}_command", name=_name, help=_does)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 a bad answer, 2 a wrong request, 130/143 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = recipe_flags([word for word in words if word != "--debug"])
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except TunewrightError as error:
        if debug:
            raise
        _say_error(error.what, error.fix)
        code = error.exit_code
    except CycloptsError as error:
        if debug:
            raise
        what = " ".join(str(error).split())
        command = f"{words[0]} " if words and words[0] in COMMANDS else ""
        meant = _flag_meant(what)
        what = what.partition(" Did you mean ")[0] if meant else what  # one advice is enough
        _say_error(what, meant or f"see tunewright {command}--help")
        code = 2
    except KeyboardInterrupt:
        code = 130
    except MemoryError:
        if debug:
            raise
        _say_error("there is not enough memory for this", "free some, or take fewer rows")
        code = 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except BaseException as error:
        code = getattr(error, "exit_code", None)
        if isinstance(error, SystemExit):
            raise
        if code is None:
            if debug:
                raise
            _say_error(
                f"unexpected {type(error).__name__}: {_one_line(error)}",
                "this is a fault of Tunewright; run again with --debug and report what it prints",
            )
            code = 1
    sys.exit(code if isinstance(code, int) else 0)


def recipe_flags(words: Sequence[str]) -> list[str]:
    """Recipe keys as flags: `--train.epochs 3` is `--set train.epochs=3`; settings go last.

    >>> recipe_flags(["run", "--train.epochs", "3", "--backend=keras", "a.csv"])
    ['run', 'a.csv', '--set', 'train.epochs=3', '--set', 'backend=keras']
    """
    others: list[str] = []
    settings: list[str] = []
    rest = deque(words)
    while rest:
        word = rest.popleft()
        key, equals, value = word.removeprefix("--").partition("=")
        if word == "--set" and rest and not rest[0].startswith("--"):
            settings.append(rest.popleft())
            while rest and _SETTING.match(rest[0]):
                settings.append(rest.popleft())
        elif word.startswith("--") and _KEY.fullmatch(key):
            value = value if equals else (rest.popleft() if rest else "")
            settings.append(f"{key}={value}")
        else:
            others.append(word)
    return [*others, *(word for setting in settings for word in ("--set", setting))]


def _flag_meant(what: str) -> str | None:
    """For a flag that is the end of a recipe key: `--epochs` for `--train.epochs`."""
    unknown = re.match(r"Unknown option: \W*([a-z_-]+)", what)
    if unknown is None:
        return None
    from tunewright.recipe.load import keys_named

    name = unknown[1].replace("-", "_")
    keys = [key for key in keys_named(name) if key != name]
    return f"did you mean {' or '.join(f'--{key}' for key in keys)}?" if keys else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _say_error(what: str, fix: str) -> None:
    sys.stderr.write(f"error: {' '.join(what.split())}\nfix: {' '.join(fix.split())}\n")


def say_json(value: Any) -> None:
    """The one JSON document of a command, on stdout."""
    import json

    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


if __name__ == "__main__":
    main()
