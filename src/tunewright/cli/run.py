"""`tunewright run`"""

from __future__ import annotations

from json import dumps as as_json
from typing import Annotated

from cyclopts import Parameter


def run_command(
    source: str | None = None,
    *,
    until: str | None = None,
    test: bool = False,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    model: str | None = None,
    seed: int | None = None,
    name: str | None = None,
    group: str | None = None,
    resume: str | None = None,
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
    name
        Part of the run folder's name.
    group
        Column whose equal values never land on both sides of the split.
    resume
        A run that was interrupted; it goes on where it stopped.
    json
        Print result.json on stdout, talk on stderr.
    """
    from tunewright.cli.main import say_json
    from tunewright.cli.progress import Progress
    from tunewright.errors import RecipeError
    from tunewright.life import run

    if source is None and resume is None:
        raise RecipeError("nothing to run", fix="tunewright run DATA.csv, or run --resume RUN")
    given = {"model": model, "seed": seed, "name": name}
    keys = {key: value for key, value in given.items() if value is not None}
    if group is not None:
        keys["data.group"] = group
    settings = [f"{key}={as_json(value)}" for key, value in keys.items()]
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
    return 0
