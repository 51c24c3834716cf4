"""`tunewright run`"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json import dumps as as_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from tunewright.requiring import Requirement


def run_command(
    source: str | None = None,
    *,
    until: str | None = None,
    test: bool = False,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    model: str | None = None,
    seed: int | None = None,
    seeds: int | None = None,
    name: str | None = None,
    group: str | None = None,
    resume: str | None = None,
    require: tuple[str, ...] = (),
    json: bool = False,
) -> int:
    """Fine-tune: from a recipe or a data file to a model, a report and a verdict.

    Parameters
    ----------
    source
        A recipe (.yaml), a data file, a folder with train/validation/test files, or a
        Hugging Face data set id.
    until
        The last stage to run: choose, prepare, adapt, train, evaluate or test.
    test
        Open the sealed test part at the end: this run is the last.
    set_
        Any recipe key, as in --set train.epochs=3 or --train.epochs 3 (see: tunewright schema).
    model
        Catalog name, local folder, hub id, or the folder of a run.
    seed
        Decides split, order and every random draw.
    seeds
        Run with so many seeds, one after another, on one split; scores are over seeds and rows.
    name
        Part of the run folder's name.
    group
        Column whose equal values never land on both sides of the split.
    resume
        A run that was interrupted; it goes on where it stopped.
    require
        better-than=NAME, a baseline or an earlier run: end with 1 unless this run is.
    json
        Print result.json on stdout, talk on stderr.
    """
    from tunewright.cli.main import say_json
    from tunewright.cli.progress import Progress
    from tunewright.errors import RecipeError
    from tunewright.life import run
    from tunewright.requiring import requirements

    if source is None and resume is None:
        raise RecipeError("nothing to run", fix="tunewright run DATA.csv, or run --resume RUN")
    if require and until not in (None, "evaluate", "test"):
        raise RecipeError(
            f"something is required of the run, and it ends with {until}",
            fix="leave --until or --require out",
        )
    asked = requirements(require)
    given = {"model": model, "seed": seed, "name": name}
    keys = {key: value for key, value in given.items() if value is not None}
    if group is not None:
        keys["data.group"] = group
    settings = [f"{key}={as_json(value)}" for key, value in keys.items()]
    if seeds is not None:
        if test or until or resume or require or source is None:
            raise RecipeError(
                "--seeds is for whole runs that open no seal",
                fix="leave --test, --until, --resume and --require out",
            )
        return _run_seeds(source, seeds, [*settings, *set_], json=json)
    with Progress() as progress:
        finished = run(
            source,
            until=until,
            test=test,
            settings=[*settings, *set_],
            resume=resume,
            listeners=(progress.on_event,),
        )
    if json:
        has_result = (finished.folder / "result.json").exists()
        say_json(finished.result if has_result else {"run": finished.folder.name, "until": until})
    else:
        progress.farewell(finished)
    return say_required(finished.folder, asked)


def _run_seeds(source: str, seeds: int, settings: list[str], *, json: bool) -> int:
    """One run after another, and what they have in the mean."""
    from rich.console import Console

    from tunewright.cli.main import say_json
    from tunewright.cli.progress import Progress
    from tunewright.evaluation.shown import bounds, number, word
    from tunewright.repeating import repeat

    talk = Console(stderr=True, highlight=False, soft_wrap=True)
    with Progress() as progress:

        def on_run(seed: int) -> tuple[Callable[[dict[str, Any]], None]]:
            talk.print(f"seed {seed}")
            return (progress.on_event,)

        found = repeat(source, seeds=seeds, settings=settings, on_run=on_run)
    if json:
        say_json(found)
        return 0
    out = Console(highlight=False, soft_wrap=True)
    metric = found["metric"]
    for each in found["runs"]:
        score = each["score"]
        out.print(
            f"seed {each['seed']}  {number(metric, score['value'])} {word(metric)} "
            f"{bounds(metric, score['low'], score['high'])}  {each['run']}",
            markup=False,
        )
    out.print(found["sentence"], markup=False, style="bold")
    return 0


def say_required(folder: Path, asked: Sequence[Requirement]) -> int:
    """Say on stderr what became of each requirement; the exit code."""
    import sys

    from tunewright.requiring import held_to

    found = held_to(folder, asked)
    for each in found:
        sys.stderr.write(each.sentence + "\n")
    return int(not all(each.met for each in found))
