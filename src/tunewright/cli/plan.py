"""`tunewright plan`"""

from __future__ import annotations

from json import dumps as as_json
from typing import Annotated, Any

from cyclopts import Parameter


def plan_command(
    source: str,
    *,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    model: str | None = None,
    seed: int | None = None,
    name: str | None = None,
    group: str | None = None,
    json: bool = False,
) -> int:
    """What a run would take: memory, time, disk, tokens, from a few true steps of every phase.

    Parameters
    ----------
    source
        As for run: a recipe, a data file, a folder with train/validation/test files, or a
        Hugging Face data set id.
    set_
        Any recipe key, as in --set train.batch_size=64.
    model
        Catalog name, local folder, hub id, or the folder of a run.
    seed
        As for run.
    name
        As for run.
    group
        As for run.
    json
        Print the plan as one JSON document on stdout, talk on stderr.
    """
    from tunewright.cli.main import say_json
    from tunewright.cli.progress import Progress
    from tunewright.planning import plan

    given = {"model": model, "seed": seed, "name": name, "data.group": group}
    settings = [f"{key}={as_json(value)}" for key, value in given.items() if value is not None]
    with Progress() as progress:
        found = plan(source, settings=[*settings, *set_], listeners=(_first_stages(progress),))
    if json:
        say_json(found)
    else:
        _show(found)
    return 0


def _first_stages(progress: Any) -> Any:
    """Show what is the run's own; the scores of a rehearsal mean nothing."""
    kinds = ("chosen", "prepared", "adapted")
    return lambda event: progress.on_event(event) if event["event"] in kinds else None


def _show(plan: dict[str, Any]) -> None:
    from rich.console import Console

    from tunewright.evaluation.report import seconds

    out = Console(highlight=False, soft_wrap=True)
    least, most = (seconds(plan["seconds"][key]) for key in ("least", "most"))
    time = most if least == most else f"{least} to {most}, as early stopping decides"
    lines = {"time": time, "memory": _memory(plan), "disk": _disk(plan["disk_mib"])}
    for phase in plan["phases"]:
        if phase["steps"]:
            lines[f"  {phase['name']}"] = (
                f"{phase['steps']:,} steps of {phase['step_s']:.2f} s, "
                f"evaluations of {phase['evaluate_s']:.1f} s"
            )
    lines["tokens"] = f"{plan['tokens']['trained']:,} to learn from, epochs counted"
    lines["batch"] = _batch(plan["largest_batch"])
    if plan["resume"] is not None:
        lines["resume"] = f"{plan['resume']['seconds']:.1f} s to read a checkpoint"
    for name, text in lines.items():
        out.print(f"{name:<16} {text}", markup=False)
    for text in plan["not_planned"]:
        out.print(f"{'not planned':<16} {text}", markup=False)
    out.print(f"measured in {seconds(plan['took_s'])}; the run will show what happened beside it")


def _memory(plan: dict[str, Any]) -> str:
    peak = plan["peak_memory_mib"]
    return "not told by this system" if peak is None else f"{peak:,.0f} MiB at most"


def _disk(disk: dict[str, float]) -> str:
    return (
        f"{disk['run']:,.0f} MiB when training ends, {disk['meanwhile']:,.0f} MiB before; "
        f"the model is {disk['model']:,.0f} MiB"
    )


def _batch(found: dict[str, Any] | None) -> str:
    if found is None:
        return "the largest that fits was not looked for here"
    if not found["rows"]:
        return "no batch fits in memory"
    reason = "all training rows" if found["limited_by"] == "rows" else "memory ends there"
    return (
        f"up to {found['rows']:,} rows fit ({reason}; a step with {found['tried']:,} was tried), "
        f"the recipe has {found['recipe']:,}"
    )
