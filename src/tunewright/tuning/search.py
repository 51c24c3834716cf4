"""The search: trials until the budget is spent, finalists over seeds, a winner."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tunewright.errors import FailedRunError, RecipeError, TunewrightError
from tunewright.evaluation.metrics import HIGHER_IS_BETTER
from tunewright.evaluation.written import HIGHER_IS_BETTER as OF_ANSWERS
from tunewright.history.folder import create_run
from tunewright.history.request import read_request
from tunewright.history.state import read_state, write_state
from tunewright.recipe.schema import Recipe
from tunewright.recipe.write import as_yaml
from tunewright.train.events import Events, Listener
from tunewright.train.interrupt import Interrupted, StopRequest
from tunewright.tuning.desk import RECIPE_FILE, Desk, open_desk, threads_here
from tunewright.tuning.effort import Effort, Look
from tunewright.tuning.finalists import finalists, repeat_all, repeats
from tunewright.tuning.finder import as_guess, rates_of
from tunewright.tuning.keeping import Weights
from tunewright.tuning.outcome import conclude, read_outcome
from tunewright.tuning.queue import DEFAULT, MOST_FAILURES, Asked, Queue, note_result
from tunewright.tuning.space import by_depth, refuse_impossible, space_of
from tunewright.tuning.study import Study, as_worker, find_study, open_study, patiently
from tunewright.tuning.table import Row, table
from tunewright.tuning.trial import run_trial, settings_in_words
from tunewright.warm_start import with_weights_of_run

WAIT_S = 0.5
NO_MEMORY = "there is not enough memory for this trial"


def tune(
    source: str | Path | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    settings: Sequence[str] = (),
    join: str | Path | None = None,
    listeners: tuple[Listener, ...] = (),
    **keys: Any,
) -> dict[str, Any]:
    """Search for better settings than the default ones, on validation alone.

    Args:
        source: as for `run`.
        trials, minutes: the budget; one of them, or both, here or in the recipe.
        settings: recipe settings as `a.b=c`.
        join: a search that goes on, or that another process is at, instead of a source.
        listeners: called with every event of the search, and of its trials.
        keys: recipe keys, such as `model="minilm"`.
    Returns:
        result.json of the search.
    Raises:
        TunewrightError: bad input; FailedRunError: all trials failed, with the first cause.
    """
    if join is not None:
        if source is not None or settings or keys or trials or minutes:
            raise RecipeError(
                "a search that is joined keeps its recipe and budget",
                fix="start a search of its own to change something",
            )
        folder = find_study(join)
    else:
        folder = _begin(_asked(source, trials, minutes, settings, keys))
    with StopRequest() as stop, _told(folder, new=join is None):
        log = folder / "events" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}.jsonl"
        log.parent.mkdir(exist_ok=True)
        with (
            contextlib.closing(Events(log, listeners)) as events,
            as_worker(folder) as workers,
        ):
            Worker(folder, events, stop, workers, listeners).work()
    return read_outcome(folder)


def _asked(
    source: str | Path | None,
    trials: int | None,
    minutes: float | None,
    settings: Sequence[str],
    keys: dict[str, Any],
) -> Recipe:
    """The recipe of a new search.

    Raises:
        RecipeError: no data, no budget, or a seal that is to be opened.
    """
    budget = {"tune.trials": trials, "tune.minutes": minutes}
    more = [f"{key}={value}" for key, value in budget.items() if value is not None]
    recipe = with_weights_of_run(read_request(source, keys, [*settings, *more]))
    if recipe.data.train is None:
        raise RecipeError("no data is named", fix="tunewright tune DATA.csv, or give data.train")
    if recipe.tune.trials is None and recipe.tune.minutes is None and recipe.tune.sampler != "grid":
        raise RecipeError("the search has no end", fix="give --trials 20, or --minutes 10")
    if recipe.test.open:
        raise RecipeError(
            "test.open is true, and a search never opens the seal",
            fix="take it out; run the winner with --test",
        )
    if recipe.tune.space != "auto":
        refuse_impossible(recipe, recipe.tune.space)
    return recipe


def _begin(recipe: Recipe) -> Path:
    name = recipe.name or Path(str(recipe.data.train)).stem
    return create_run(f"{name}-tune", as_yaml(recipe, {}), kind="tune")


class Worker:
    """One process at work on a study."""

    def __init__(
        self,
        folder: Path,
        events: Events,
        stop: StopRequest,
        workers: Callable[[], int],
        listeners: tuple[Listener, ...],
    ) -> None:
        self.folder = folder
        self.events = events
        self.stop = stop
        self.workers = workers
        self.listeners = listeners
        self.desk: Desk = open_desk(folder, events)
        base = self.desk.base
        rows, blocks = base.backend.parts["train"].rows, base.backend.num_blocks
        self.space = space_of(self.desk.asked, base.recipe, rows, blocks)
        self.higher = (HIGHER_IS_BETTER | OF_ANSWERS)[self.desk.metric]
        self.study: Study = open_study(folder, self.desk.recipe, higher=self.higher)
        self.levels = by_depth(self.space, blocks)
        self.queue = Queue(self.study, self.desk, self.space, self.levels, self._guesses())
        self.weights = Weights(
            folder, self.desk.recipe.tune.keep, self.desk.metric, higher=self.higher
        )

    def _guesses(self) -> list[dict[str, Any]]:
        """What the finder suggests, if it is asked, and what the user guesses."""
        tune = self.desk.recipe.tune
        if not tune.find_rate:
            return list(tune.guesses)
        with self.study.alone():
            found = rates_of(self.desk, self.events, self.stop)
        return [as_guess(found, self.desk.base.recipe.train.strategy), *tune.guesses]

    def work(self) -> None:
        """Trials, then finalists, then the result; others may be at it too."""
        write_state(self.folder, state="running", stage="tune")
        self.events.emit("searching", space={key: str(each) for key, each in self.space.items()})
        while True:
            asked = self.queue.next(self._threads(), over=self._is_over())
            if asked is not None:
                self._do(asked)
                self._refuse_if_all_fail()
            elif self.queue.are_all_over():
                break
            else:
                self._wait()
        rows = table(self.study)
        self._refuse_if_all_fail(at_end=True)
        todo = repeats(self.study, self.desk, self._chosen(rows))
        self.events.emit("repeating", runs=len(todo))
        while repeat_all(todo, self.desk, self.stop, self._threads, self.listeners):
            self._wait()
        with self.study.alone():
            self.weights.thin_out()
            found = conclude(self.study, self.desk, rows, todo, self.space, self.workers())
        self.events.emit("searched", sentence=found["sentence"], luck=found["luck_sentence"])

    def _chosen(self, rows: Sequence[Row]) -> list[Row]:
        tune = self.desk.recipe.tune
        return finalists(rows, tune.finalists, higher=self.higher) if tune.seeds > 1 else []

    def _do(self, asked: Asked) -> None:
        words = settings_in_words(asked.settings)
        self.events.emit("trial", number=asked.trial.number, of=asked.kind, settings=words)
        keep = asked.kind != DEFAULT  # the default recipe is what all others are held against

        def watch(effort: Effort) -> Look:
            trial = asked.trial if keep else _Unpruned(asked.trial)
            return Look(trial, effort, self.desk.metric, higher=self.higher)

        try:
            result = run_trial(
                self.desk,
                asked.folder,
                self.stop,
                watch=watch,
                keeps=self.weights.are_worth_it,
                listeners=self.listeners,
            )
        except TunewrightError as error:
            self._failed(asked, error.what, error.fix)
        except (MemoryError, RuntimeError) as error:
            if not has_no_memory(error):
                raise
            self._failed(asked, NO_MEMORY, "take a smaller model, smaller batches, or fewer layers")
        else:
            value = float(result["validation"][self.desk.metric]["value"])
            note_result(self.study, asked.trial, value, pruned=bool(result["pruned"]))
            self.events.emit(
                "trial_done",
                number=asked.trial.number,
                value=value,
                pruned=result["pruned"],
                wall_s=result["train"]["wall_s"],
            )
        finally:
            asked.lock.release()

    def _failed(self, asked: Asked, why: str, fix: str) -> None:
        from optuna.trial import TrialState

        asked.trial.set_user_attr("failure", why)
        asked.trial.set_user_attr("fix", fix)
        tell = self.study.record.tell
        patiently(lambda: tell(asked.trial, state=TrialState.FAIL))
        self.events.emit("trial_failed", number=asked.trial.number, why=why)

    def _is_over(self) -> bool:
        """Whether no new trial fits into the minutes, beside the repeats of the finalists."""
        minutes = self.desk.recipe.tune.minutes
        if minutes is None:
            return False
        begun = datetime.fromisoformat(read_state(self.folder)["created"]).timestamp()
        took = [row for row in table(self.study) if row.wall_s is not None]
        if not took:
            return False
        chosen = self._chosen(took)
        again = (self.desk.recipe.tune.seeds - 1) * sum(row.wall_s or 0.0 for row in chosen)
        needed = median(row.wall_s or 0.0 for row in took) + again / max(1, self.workers())
        return time.time() - begun + needed > 60 * minutes

    def _refuse_if_all_fail(self, *, at_end: bool = False) -> None:
        """Raise FailedRunError with the first cause, once none of the first trials succeeded."""
        over = [each for each in self.study.trials if each.state.is_finished()]
        failed = [each for each in over if each.state.name == "FAIL"]
        if len(failed) < len(over) or not over or not (at_end or len(failed) >= MOST_FAILURES):
            return
        first = failed[0].user_attrs
        raise FailedRunError(
            f"all {len(failed)} trials failed; the first: {first.get('failure', 'for no known cause')}",
            fix=first.get("fix", "run the default recipe by itself: tunewright run DATA"),
        )

    def _threads(self) -> int:
        """Of this worker's next trial: as many as are fast, and no core for two."""
        fast: Any = self.desk.base.recipe.train.threads
        return min(int(fast), threads_here(self.workers()))

    def _wait(self) -> None:
        with self.stop.at_once():
            time.sleep(WAIT_S)


def has_no_memory(error: BaseException) -> bool:
    """Whether the system, or a device, had no memory for what was asked."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "allocate memory" in words


class _Unpruned:
    """A trial of Optuna's that is never ended early."""

    def __init__(self, trial: Any) -> None:
        self.report = trial.report

    @staticmethod
    def should_prune() -> bool:
        """Never."""
        return False


@contextlib.contextmanager
def _told(folder: Path, *, new: bool) -> Iterator[None]:
    """Within, run.json says truthfully what becomes of the search."""
    try:
        yield
        write_state(folder, state="done")
    except (KeyboardInterrupt, Interrupted):
        with contextlib.suppress(TunewrightError, OSError):
            write_state(folder, state="interrupted")
        raise
    except TunewrightError as error:
        if new and not (folder / RECIPE_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)  # nothing was done: leave nothing
        elif new or isinstance(error, FailedRunError):
            with contextlib.suppress(TunewrightError, OSError):
                write_state(folder, state="failed", error=error.what)
        raise
