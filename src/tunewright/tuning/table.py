"""The trials of a study as plain rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunewright.errors import TunewrightError
from tunewright.history.result import read_result
from tunewright.tuning.study import Study

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


@dataclass(frozen=True)
class Row:
    """A trial.

    value: of the deciding metric at its best step on validation; None if it failed.
    looks: how often validation was evaluated. tries: 2 where its first worker was killed.
    """

    number: int
    kind: str
    state: str
    settings: dict[str, Any]
    value: float | None
    folder: Path
    wall_s: float | None
    looks: int
    tries: int
    failure: str | None
    same_as: int | None
    weights: bool

    def as_json(self, study: Path) -> dict[str, Any]:
        """For result.json."""
        return {**asdict(self), "folder": str(self.folder.relative_to(study))}


def table(study: Study) -> list[Row]:
    """A row for each trial, in order; what was put back is in the row of its second try."""
    return [_row(study, each) for each in study.trials if not each.user_attrs.get("put_back")]


def _row(study: Study, trial: Any) -> Row:
    facts, folder = trial.user_attrs, study.folder_of(trial)
    result = _result(folder) if "same_as" not in facts else {}
    value = trial.value if trial.state.name == "COMPLETE" else facts.get("value")
    return Row(
        number=facts.get("goes_on", trial.number),
        kind=facts.get("kind", "drawn"),
        state=STATES.get(trial.state.name, "waiting"),
        settings=json.loads(facts.get("settings", "{}")),
        value=value,
        folder=folder,
        wall_s=(result.get("train") or {}).get("wall_s"),
        looks=int(result.get("looks", 0)),
        tries=2 if "goes_on" in facts and facts.get("kills") else 1,
        failure=facts.get("failure"),
        same_as=facts.get("same_as"),
        weights=(folder / "model").is_dir(),
    )


def _result(folder: Path) -> dict[str, Any]:
    try:
        return read_result(folder)
    except TunewrightError:
        return {}
