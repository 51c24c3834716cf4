"""What a search found: result.json, the winner's recipe, the page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.durable import write_json, write_text
from tunewright.errors import FailedRunError, RunError
from tunewright.evaluation.metrics import HIGHER_IS_BETTER
from tunewright.evaluation.over_seeds import mean_over_seeds
from tunewright.evaluation.shown import bounds, in_percent, number, word
from tunewright.evaluation.study_page import write_study
from tunewright.history.result import RESULT_FILE, SCHEMA_VERSION, read_result
from tunewright.recipe.load import load_recipe
from tunewright.recipe.tune import Tune
from tunewright.recipe.write import as_yaml
from tunewright.tuning.desk import Desk
from tunewright.tuning.finalists import Repeat, answers_of_all, runs_of, scores_of
from tunewright.tuning.finder import read_rates
from tunewright.tuning.importance import importance
from tunewright.tuning.keeping import bound_mib, taken_mib
from tunewright.tuning.luck import selection_luck
from tunewright.tuning.queue import DEFAULT
from tunewright.tuning.space import Space
from tunewright.tuning.study import Study
from tunewright.tuning.table import Row
from tunewright.tuning.trial import answers_of, settings_in_words

BEST_FILE = "best.yaml"
MIB = 1 << 20
FP32_BYTES, STATES = 4, 4  # weights, the best of them, and two moments


def conclude(
    study: Study,
    desk: Desk,
    rows: Sequence[Row],
    todo: Sequence[Repeat],
    space: Space,
    workers: int,
) -> dict[str, Any]:
    """Name the winner and write all that is told of the search; the same for every worker.

    Raises:
        FailedRunError: no trial went to its end.
    """
    metric, turn = desk.metric, (1.0 if study.higher else -1.0)
    ended = {row.number: row for row in rows if row.state == "complete" and row.same_as is None}
    chosen = list({each.row.number: each.row for each in todo}.values())
    if not chosen:
        ranked = sorted(ended.values(), key=lambda row: turn * (row.value or 0.0), reverse=True)
        chosen = ranked[:1] + [row for row in ranked[1:] if row.kind == DEFAULT]
    if not chosen:
        raise FailedRunError(
            "no trial went to its end", fix="give more time, or a smaller tune.space"
        )
    folders = {row.number: list(runs_of(row, todo)) for row in chosen}
    means = {number: float(np.mean(scores_of(folders[number], metric))) for number in folders}
    best = max(chosen, key=lambda row: turn * means[row.number])
    default = next((row for row in chosen if row.kind == DEFAULT), None)
    finals = [_final(desk, row, folders[row.number], metric) for row in chosen]
    gain = None
    if default is not None and default is not best:
        gain = _gain(desk, folders[best.number], folders[default.number], metric)
    luck = _luck(desk, list(ended.values()), metric)
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": "tune",
        "task": desk.base.recipe.task,
        "metric": metric,
        "rows": desk.prepared.sizes,
        "trials": _counts(rows),
        "looks": _looks(rows, todo),
        "best": {
            "trial": best.number,
            "settings": best.settings,
            "recipe": BEST_FILE,
            "command": f"tunewright run {_shown(study.folder / BEST_FILE)}",
            "score": next(each for each in finals if each["trial"] == best.number)["score"],
            "model": "trials/" + best.folder.name + "/model" if best.weights else None,
        },
        "finalists": finals,
        "gain": gain,
        "luck": luck,
        "importance": importance(study),
        "rates": read_rates(study.folder),
        "space": {key: json.loads(each.model_dump_json()) for key, each in space.items()},
        "seconds": _seconds(rows, todo),
        "disk_mib": _disk(study.folder, desk, rows, todo, workers),
        "table": [row.as_json(study.folder) for row in rows],
    }
    found["sentence"] = sentence(found)
    found["luck_sentence"] = luck_sentence(found)
    _write_best(study.folder, desk, best)
    write_json(study.folder / RESULT_FILE, found)
    write_study(study.folder / "report.html", found, (study.folder / BEST_FILE).read_text("utf-8"))
    return found


def read_outcome(study: Path) -> dict[str, Any]:
    """result.json of a search.

    Raises:
        RunError: it has none yet.
    """
    try:
        return dict(json.loads((study / RESULT_FILE).read_text("utf-8")))
    except FileNotFoundError:
        raise RunError(
            f"search {study.name} has no result yet",
            fix=f"let it go on: tunewright tune --join {study.name}",
        ) from None


def _final(desk: Desk, row: Row, folders: Sequence[Path], metric: str) -> dict[str, Any]:
    values = scores_of(folders, metric)
    score: dict[str, Any] = {"value": float(np.mean(values)), "low": None, "high": None}
    answers = answers_of_all(folders)
    if answers is not None and metric in HIGHER_IS_BETTER:
        score = dict(mean_over_seeds(metric, answers, _labels(desk), **_drawn(desk)))
    return {
        "trial": row.number,
        "settings": row.settings,
        "seeds": [read_seed(folder) for folder in folders],
        "values": values,
        "score": score,
    }


def read_seed(folder: Path) -> int:
    """The seed of a run."""
    return load_recipe(folder / "recipe.yaml").seed


def _gain(
    desk: Desk, ours: Sequence[Path], theirs: Sequence[Path], metric: str
) -> dict[str, Any] | None:
    """By how much the winner is better than the default recipe, over seeds and rows."""
    said, against = answers_of_all(ours), answers_of_all(theirs)
    if said is None or against is None or metric not in HIGHER_IS_BETTER:
        return None
    both = min(len(said), len(against))
    return dict(
        mean_over_seeds(metric, said[:both], _labels(desk), against=against[:both], **_drawn(desk))
    )


def _luck(desk: Desk, ended: Sequence[Row], metric: str) -> dict[str, Any] | None:
    if metric not in HIGHER_IS_BETTER:
        return None
    found = {row.number: answers_of(row.folder) for row in ended}
    there = {number: each for number, each in found.items() if each is not None}
    default = next((row.number for row in ended if row.kind == DEFAULT), None)
    return selection_luck(there, _labels(desk), metric, default=default, seed=desk.recipe.seed)


def _labels(desk: Desk) -> np.ndarray:
    return desk.prepared.targets_of("validation")


def _drawn(desk: Desk) -> dict[str, Any]:
    return {"resamples": desk.base.recipe.evaluate.resamples, "seed": desk.recipe.seed}


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    states = [row.state for row in rows]
    counted = {state: states.count(state) for state in ("complete", "pruned", "failed")}
    return {
        "all": len(rows),
        **counted,
        "copies": sum(row.same_as is not None for row in rows),
        "retried": sum(row.tries > 1 for row in rows),
    }


def _looks(rows: Sequence[Row], todo: Sequence[Repeat]) -> int:
    """How often validation was evaluated: each time something could be chosen by its luck."""
    again = [read_result(each.folder) for each in todo if (each.folder / RESULT_FILE).is_file()]
    return sum(row.looks for row in rows) + sum(int(each["looks"]) for each in again)


def _seconds(rows: Sequence[Row], todo: Sequence[Repeat]) -> dict[str, float]:
    again = [read_result(each.folder) for each in todo if (each.folder / RESULT_FILE).is_file()]
    return {
        "trials": round(sum(row.wall_s or 0.0 for row in rows), 1),
        "repeats": round(sum(each["train"]["wall_s"] for each in again), 1),
    }


def _disk(
    study: Path, desk: Desk, rows: Sequence[Row], todo: Sequence[Repeat], workers: int
) -> dict[str, float]:
    backend = desk.base.backend
    model = FP32_BYTES * backend.parameters / MIB + 8.0  # the tokenizer beside them
    bound = bound_mib(
        model=model,
        state=STATES * FP32_BYTES * backend.parameters / MIB,
        trials=len(rows) + len(todo),
        keep=desk.recipe.tune.keep,
        workers=max(1, workers),
    )
    return {"now": taken_mib(study), "bound": bound}


def _write_best(study: Path, desk: Desk, best: Row) -> None:
    """The winner's recipe, resolved; it begins anew where it is run, with the split of the search."""
    recipe = load_recipe(best.folder / "recipe.yaml")
    name = desk.recipe.name or Path(str(recipe.data.train)).stem
    update: dict[str, Any] = {
        "name": f"{name}-best",
        "tune": Tune(),
        "train": recipe.train.model_copy(update={"threads": desk.recipe.train.threads}),
    }
    reasons = dict.fromkeys(best.settings, "found by the search")
    write_text(study / BEST_FILE, as_yaml(recipe.model_copy(update=update), reasons))


def _shown(path: Path) -> str:
    """As a user would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def sentence(found: Mapping[str, Any]) -> str:
    """The winner in one sentence."""
    best, metric, counts = found["best"], found["metric"], found["trials"]
    seeds = len(next(e for e in found["finalists"] if e["trial"] == best["trial"])["values"])
    mean = f" in the mean of {seeds} seeds" if seeds > 1 else ""
    score = best["score"]
    said = f"{_number(metric, score['value'])} {word(metric)} on validation{mean}"
    if not best["settings"]:
        return f"None of {counts['all']} trials is better than the default recipe: {said}."
    which = settings_in_words(best["settings"])
    told = f"Trial {best['trial']} of {counts['all']} is the best: {said} ({which})"
    default = next((each for each in found["finalists"] if not each["settings"]), None)
    if default is None:
        return f"{told}."
    told += f"; the default recipe has {_number(metric, default['score']['value'])}"
    gain = found["gain"]
    if gain is None:
        return f"{told}."
    apart = f"{number(metric, gain['value'])} {bounds(metric, gain['low'], gain['high'])}"
    unit = " points" if in_percent(metric) else ""
    sure = "" if gain["low"] > 0 else "; by these rows and seeds the two cannot be told apart"
    return f"{told}, the difference is {apart}{unit}{sure}."


def luck_sentence(found: Mapping[str, Any]) -> str:
    """How much of the gain is luck, in one sentence."""
    luck, metric = found["luck"], found["metric"]
    if luck is None:
        return "How much of the gain is luck cannot be told: too few trials or validation rows."
    unit = " points" if in_percent(metric) else ""
    said = (
        f"Luck of choosing: the best trial on one half of validation scores "
        f"{number(metric, luck['luck'])}{unit} less on the other half"
        if luck["luck"] > 0
        else "Luck of choosing: the best trial on one half of validation scores no less on the other"
    )
    if luck["gain"] is None:
        return f"{said}."
    better = "above" if luck["gain"] > 0 else "not above"
    by = f"{number(metric, abs(luck['gain']))}{unit} " if luck["gain"] > 0 else ""
    return (
        f"{said}, where it is {by}{better} the default recipe "
        f"({luck['halvings']} halvings of {luck['rows']:,} rows, {found['looks']:,} looks in all)."
    )


def _number(metric: str, value: float) -> str:
    return number(metric, value) + (" %" if in_percent(metric) else "")
