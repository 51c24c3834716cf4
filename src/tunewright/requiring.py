"""What a run is required to be, for a pipeline that goes on only with a better model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunewright.comparing import compare
from tunewright.errors import RecipeError, TunewrightError
from tunewright.evaluation.shown import bounds, number, word
from tunewright.history.folder import find_run
from tunewright.history.result import read_result

BETTER = "better-than"
UNTAUGHT = ("zero-shot", "base", "few-shot")
BASELINES = ("majority", "mean", "tfidf", "colours", "knn", "probe", *UNTAUGHT)


@dataclass(frozen=True)
class Requirement:
    """Better than a baseline, or than an earlier run, by the whole interval of the difference."""

    than: str
    earlier: Path | None


@dataclass(frozen=True)
class Kept:
    """Whether a requirement is met, and the sentence that says so."""

    met: bool
    sentence: str


def requirements(words: Sequence[str]) -> list[Requirement]:
    """Read `better-than=NAME`, before anything is trained.

    Raises:
        RecipeError: another form, or a name that is neither a baseline nor a run.
    """
    found = []
    for asked in words:
        kind, _, name = asked.partition("=")
        if kind != BETTER or not name:
            raise RecipeError(
                f"--require has {asked!r}, expected {BETTER}=NAME",
                fix=f"NAME is a run, or one of {', '.join(BASELINES)}",
            )
        found.append(Requirement(name, None if name in BASELINES else _earlier(name)))
    return found


def held_to(run_folder: Path, asked: Sequence[Requirement]) -> list[Kept]:
    """What became of each requirement: of a baseline on the part that the verdict is about.

    An earlier run is compared on the validation rows that both have.

    Raises:
        RecipeError: the run has no such baseline. RunError: the runs cannot be compared.
    """
    return [
        _beside_baseline(run_folder, each.than)
        if each.earlier is None
        else _beside_run(run_folder, each.earlier)
        for each in asked
    ]


def _earlier(name: str) -> Path:
    try:
        return find_run(name)
    except TunewrightError as error:
        raise RecipeError(
            f"--require has {BETTER}={name}, and {name} is no baseline and no run: {error.what}",
            fix=f"name a run, or one of {', '.join(BASELINES)}",
        ) from error


def _beside_baseline(run_folder: Path, name: str) -> Kept:
    result = read_result(run_folder)
    differences = result["verdict"]["differences"]
    if name not in differences:
        raise RecipeError(
            f"run {run_folder.name} has no baseline {name!r}",
            fix=f"it has {', '.join(differences)}",
        )
    found, metric = differences[name], result["metric"]
    met = found["low"] > 0
    said = "met" if met else "not met"
    return Kept(
        met,
        f"required better than {name}, {said}: {word(metric)} differs by "
        f"{number(metric, found['value'])} {bounds(metric, found['low'], found['high'])}",
    )


def _beside_run(run_folder: Path, earlier: Path) -> Kept:
    (found,) = compare(run_folder, earlier)["differences"]  # the earlier one against this one
    met = found["difference"]["high"] < 0
    said = "met" if met else "not met"
    return Kept(met, f"required better than {earlier.name}, {said}: {found['sentence']}")
