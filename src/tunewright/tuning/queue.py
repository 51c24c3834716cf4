"""Which trial comes next: the default, the guesses, deeper ones of the best, else a drawn one.

Trials begin shallow, where everything below is computed once for all of them; one in three goes on
a level deeper (successive halving, with the depth of unfreezing as the resource).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from tunewright.history.folder import create_run
from tunewright.history.lock import is_held
from tunewright.history.result import read_result
from tunewright.history.state import read_state_as_written
from tunewright.recipe.write import as_yaml
from tunewright.train.batches import draw_key
from tunewright.tuning.desk import Desk
from tunewright.tuning.drawing import (
    REDUCTION,
    draw,
    known_to,
    pruner_of,
    same_settings,
    sampler_of,
)
from tunewright.tuning.space import DEPTH, Space, settings_of
from tunewright.tuning.study import Study, patiently
from tunewright.tuning.trial import is_over

DEFAULT, GUESS, DRAWN, DEEPER = "default", "guess", "drawn", "deeper"
MOST_FAILURES = 5  # in a row from the first trial on


@dataclass(frozen=True)
class Asked:
    """A trial that this worker is to do; `lock` holds its folder.

    settings: by key.
    """

    trial: Any
    kind: str
    settings: Mapping[str, Any]
    folder: Path
    lock: filelock.FileLock


class Queue:
    """Hands out the trials of a study, to one worker at a time.

    Args:
        levels: depths, shallowest first; none where they are not searched.
        guesses: settings to try after the default ones.
    """

    def __init__(
        self,
        study: Study,
        desk: Desk,
        space: Space,
        levels: Sequence[str],
        guesses: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.study = study
        self.desk = desk
        self.space = space
        self.levels = levels
        self.guesses = guesses
        self.tune = desk.recipe.tune
        study.record.pruner = pruner_of(self.tune)

    def next(self, threads: int, *, over: bool = False) -> Asked | None:
        """The next trial, held by this process; None when there is nothing to hand out now.

        Args:
            threads: of this worker.
            over: whether no new trial is to begin; those of killed workers are done all the same.
        """
        with self.study.alone():
            self._put_back()
            while True:
                trials = self.study.trials
                waiting = any(each.state.name == "WAITING" for each in trials)
                if not waiting and (over or not self._is_more_to_do(trials)):
                    return None
                if not waiting:
                    self._enqueue(trials)
                asked = self._ask(trials, threads)
                if asked is not None:
                    return asked

    def are_all_over(self) -> bool:
        """Whether no trial runs or waits."""
        return all(each.state.is_finished() for each in self.study.trials)

    def _is_more_to_do(self, trials: Sequence[Any]) -> bool:
        asked = [each for each in trials if not _was_put_back(each)]
        if self.tune.trials is not None and len(asked) >= self.tune.trials:
            return False
        if self.tune.sampler == "grid" and len(trials) > 1:
            sampler = sampler_of(self.tune, self.space, 0)
            return not sampler.is_exhausted(self.study.record)
        return True

    def _enqueue(self, trials: Sequence[Any]) -> None:
        """What is known before anything is drawn."""
        if not trials:
            self._put(DEFAULT, {})
            return
        guesses = sum(each.user_attrs.get("kind") == GUESS for each in trials)
        if guesses < len(self.guesses):
            self._put(GUESS, self.guesses[guesses])
        elif deeper := self._worth_deepening(trials):
            self._put(DEEPER, deeper)

    def _put(self, kind: str, settings: Mapping[str, Any]) -> None:
        told = known_to(self.space, settings)
        more = {"kind": kind, "given": json.dumps(dict(settings))}
        patiently(lambda: self.study.record.enqueue_trial(told, user_attrs=more))

    def _worth_deepening(self, trials: Sequence[Any]) -> dict[str, Any] | None:
        """The best trial of a level that is among the best third there, one level deeper."""
        for level, deeper in reversed(list(zip(self.levels, self.levels[1:], strict=False))):
            there = [
                each
                for each in trials
                if each.values and _settings(each).get(DEPTH) == level and not _is_copy(each)
            ]
            ranked = sorted(there, key=lambda each: each.value, reverse=self.study.higher)
            for best in ranked[: len(there) // REDUCTION]:
                settings = {**_settings(best), DEPTH: deeper}
                if not any(same_settings(_settings(each), settings) for each in trials):
                    return settings
        return None

    def _ask(self, before: Sequence[Any], threads: int) -> Asked | None:
        """None where another trial was the same run: its score is this one's."""
        record = self.study.record
        record.sampler = sampler_of(
            self.tune, self.space, draw_key("trial", self.desk.recipe.seed, len(before)) % 2**32
        )
        shallow = self.levels[0] if self.levels and self.tune.sampler != "grid" else None
        if shallow is not None and not any(e.state.name == "WAITING" for e in self.study.trials):
            more = {"kind": DRAWN}
            patiently(lambda: record.enqueue_trial({DEPTH: shallow}, user_attrs=more))
        trial = patiently(record.ask)
        given = trial.user_attrs.get("given")
        settings = draw(trial, self.space, None if given is None else json.loads(given))
        kind = trial.user_attrs.get("kind", DRAWN)
        trial.set_user_attr("kind", kind)
        trial.set_user_attr("settings", json.dumps(settings))
        folder = self.study.folder_of(trial)
        alike = (e for e in before if e.values and same_settings(_settings(e), settings))
        same = next(alike, None) if "goes_on" not in trial.user_attrs else None
        if same is not None:
            trial.set_user_attr("same_as", same.number)
            patiently(lambda: record.tell(trial, same.value))
            return None
        if not folder.exists():
            create_trial(self.desk, folder, settings, threads)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        lock.acquire()
        return Asked(trial, kind, settings, folder, lock)

    def _put_back(self) -> None:
        """Trials of workers that were killed, once more; a second time they have failed."""
        for trial in self.study.trials:
            if trial.state.name != "RUNNING":
                continue
            folder = self.study.folder_of(trial)
            if folder.is_dir() and is_held(folder / ".lock"):
                continue
            if is_over(folder):  # killed before it could say so
                self._tell_of_it(trial, folder)
            else:
                self._give_up(trial, folder)

    def _tell_of_it(self, trial: Any, folder: Path) -> None:
        result = read_result(folder)
        value = float(result["validation"][self.desk.metric]["value"])
        note_result(self.study, trial, value, pruned=bool(result["pruned"]))

    def _give_up(self, trial: Any, folder: Path) -> None:
        from optuna.trial import TrialState

        stopped = folder.is_dir() and read_state_as_written(folder)["state"] == "interrupted"
        kills = trial.user_attrs.get("kills", 0) + (not stopped)
        number = trial.number
        attrs = {key: trial.user_attrs[key] for key in ("kind",) if key in trial.user_attrs}
        again = kills < 2
        why = "its worker was stopped" if stopped else "its worker was killed"
        self.study.record._storage.set_trial_user_attr(trial._trial_id, "failure", why)
        self.study.record._storage.set_trial_user_attr(trial._trial_id, "put_back", again)
        patiently(lambda: self.study.record.tell(number, state=TrialState.FAIL))
        if again:
            given = trial.user_attrs.get("settings", "{}")
            more = {
                **attrs,
                "given": given,
                "kills": kills,
                "goes_on": trial.user_attrs.get("goes_on", number),
            }
            told = known_to(self.space, json.loads(given))
            patiently(lambda: self.study.record.enqueue_trial(told, user_attrs=more))


def create_trial(
    desk: Desk, folder: Path, settings: Mapping[str, Any], threads: int, *more: str
) -> None:
    """Make the folder of a run that has the study's recipe with some settings.

    Args:
        more: settings that are none of the search's.
    """
    fixed = [] if desk.recipe.train.threads != "auto" else [f"train.threads={threads}"]
    recipe = desk.recipe_with([*settings_of(settings), *fixed, *more])
    create_run(folder.name, as_yaml(recipe, {}), folder=folder)


def note_result(study: Study, trial: Any, value: float, *, pruned: bool) -> None:
    """Tell Optuna how a trial ended."""
    from optuna.trial import TrialState

    record = study.record
    patiently(lambda: record._storage.set_trial_user_attr(trial._trial_id, "value", value))
    if pruned:
        patiently(lambda: record.tell(trial.number, state=TrialState.PRUNED))
    else:
        patiently(lambda: record.tell(trial.number, value))


def _settings(trial: Any) -> dict[str, Any]:
    return dict(json.loads(trial.user_attrs.get("settings", "{}")))


def _is_copy(trial: Any) -> bool:
    return "same_as" in trial.user_attrs


def _was_put_back(trial: Any) -> bool:
    return bool(trial.user_attrs.get("put_back"))
