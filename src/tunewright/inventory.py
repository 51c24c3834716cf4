"""What there is: pre-trained models, and runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunewright.errors import RecipeError
from tunewright.history.folder import find_run
from tunewright.history.index import list_runs, rebuild_index, remove_run
from tunewright.history.result import RESULT_FILE, read_result
from tunewright.history.state import read_state
from tunewright.pretrained.catalog import pull_model
from tunewright.pretrained.listing import list_models, show_model


def models(action: str = "list", name: str | None = None) -> Any:
    """The catalog: a list of models, one model in detail, or one fetched into the cache.

    Args:
        action: list, pull or show.
        name: for pull and show: a name from the list, a folder or a hub id.
    """
    if action == "list" and name is None:
        return list_models()
    if action == "show" and name is not None:
        return show_model(name)
    if action == "pull" and name is not None:
        return {key: str(value) for key, value in asdict(pull_model(name)).items()}
    raise RecipeError(
        f"'models {' '.join(filter(None, (action, name)))}' is not a command or names no model",
        fix="tunewright models [list | pull NAME | show NAME]",
    )


def runs(action: str = "list", run: str | None = None, *, rebuild: bool = False) -> Any:
    """The runs: a list, one run in detail, one removed, or the index made anew.

    Args:
        action: list, show or remove.
        run: for show and remove: folder, name, id or last.
    """
    if rebuild:
        return {"indexed": rebuild_index()}
    if action == "list" and run is None:
        return list_runs()
    if action == "remove" and run is not None:
        return {"removed": remove_run(run).name}
    if action == "show" and run is not None:
        folder = find_run(run)
        state = read_state(folder)
        return {"folder": str(folder), **state, "result": _result(folder, state)}
    raise RecipeError(
        f"'runs {' '.join(filter(None, (action, run)))}' is not a command or names no run",
        fix="tunewright runs [list | show RUN | remove RUN]",
    )


def _result(folder: Path, state: dict[str, Any]) -> dict[str, Any] | None:
    """Of a run or of a search; None while it has none."""
    if not (folder / RESULT_FILE).exists():
        return None
    if state.get("kind") != "tune":
        return read_result(folder)
    from tunewright.tuning.outcome import read_outcome

    return read_outcome(folder)
