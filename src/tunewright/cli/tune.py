"""`tunewright tune`"""

from __future__ import annotations

from json import dumps as as_json
from typing import Annotated, Any

from cyclopts import Parameter


def tune_command(
    source: str | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    model: str | None = None,
    seed: int | None = None,
    name: str | None = None,
    group: str | None = None,
    find_rate: bool = False,
    join: str | None = None,
    json: bool = False,
) -> int:
    """Search for better settings inside a budget, on validation alone.

    Parameters
    ----------
    source
        As for run: a recipe (its section tune says what is searched), a data file, a folder.
    trials
        So many, the default recipe included; the repeats of the finalists come on top.
    minutes
        Of all of it.
    set_
        Any recipe key, as in --set train.epochs=3: what is fixed so is not searched.
    model
        Catalog name, local folder, hub id, or the folder of a run.
    seed
        Decides split, order, and what is drawn.
    name
        Part of the folder's name.
    group
        Column whose equal values never land on both sides of the split.
    find_rate
        Find the learning rates by a range test and short runs first; they are tried as a guess.
    join
        A search that was stopped, or that another process is at; it goes on.
    json
        Print result.json on stdout, talk on stderr.
    """
    from tunewright.cli.main import say_json
    from tunewright.errors import RecipeError
    from tunewright.tuning.search import tune

    if source is None and join is None:
        raise RecipeError("nothing to search", fix="tunewright tune DATA.csv --trials 20")
    given = {"model": model, "seed": seed, "name": name, "data.group": group}
    settings = [f"{key}={as_json(value)}" for key, value in given.items() if value is not None]
    if find_rate:
        settings.append("tune.find_rate=true")
    found = tune(
        source,
        trials=trials,
        minutes=minutes,
        settings=[*settings, *set_],
        join=join,
        listeners=(_Talk().on_event,),
    )
    if json:
        say_json(found)
    else:
        _show(found)
    return 0


class _Talk:
    """A line for each trial, on stderr."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def on_event(self, event: dict[str, Any]) -> None:
        """Show one event; those of a trial's own are passed over."""
        show = getattr(self, f"_on_{event['event']}", None)
        if show is not None:
            show(event)

    def _line(self, stage: str, text: str, style: str = "default") -> None:
        from rich.markup import escape

        self.console.print(f"[bold]{stage:<9}[/bold] [{style}]{escape(text)}[/]")

    def _on_prepared(self, event: dict[str, Any]) -> None:
        rows = event["rows"]
        self._line(
            "prepare",
            f"{rows['train']:,} rows to train on, {rows['validation']:,} to validate, "
            f"{rows['test']:,} sealed",
        )

    def _on_rate_found(self, event: dict[str, Any]) -> None:
        self._line("tune", f"{event['group']} learn at {event['rate']:g}, by short runs")

    def _on_trial(self, event: dict[str, Any]) -> None:
        self._line("tune", f"trial {event['number']} ({event['of']}): {event['settings']}")

    def _on_trial_done(self, event: dict[str, Any]) -> None:
        ended = f", {event['pruned']}" if event["pruned"] else ""
        self._line("", f"{event['value']:.4f} in {event['wall_s']:.1f} s{ended}")

    def _on_trial_failed(self, event: dict[str, Any]) -> None:
        self._line("", f"failed: {event['why']}", "yellow")

    def _on_repeating(self, event: dict[str, Any]) -> None:
        self._line("tune", f"{event['runs']} runs of the best trials with other seeds")


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=True)
    out.print(found["sentence"], markup=False, style="bold")
    out.print(found["luck_sentence"], markup=False)
    out.print(f"run it   {found['best']['command']}", markup=False)
