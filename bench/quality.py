"""Test scores and wall time beside Trainer with the same backbone, on real data sets.

Needs the data sets in ../shared/data; says so and stops when they are not there. Scores do not
depend on what else the machine does, wall times do. `scores` computes the scores on one thread
each: the peer's once (results/peers.json; `--again` computes them anew), its defaults and the
better of its two learning rates on every seed. `times` then measures us and the better peer on
all cores, on the first seed, and wants a machine with nothing else to do. Names of sets after
either word restrict it to them. Without a word it does both and prints the table.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import (
    BEST,
    RESULTS,
    ROOT,
    machine,
    read_rows,
    run_trainer,
    run_tunewright,
    shuffled,
    test_tunewright,
    write_parts,
)

DATA = ROOT.parent / "shared" / "data"
SEEDS = (0, 1, 2)
TRAIN, VALIDATION, TEST = 1000, 250, 800
OF_EACH_INTENT = 13, 3  # of banking77, to learn from and to validate
SETS = {
    "banking77": ("accuracy", "train.csv", "test.csv"),
    "sst5": ("accuracy", "train.csv", "test.csv"),
    "tweeteval_emotion": ("macro_f1", "train.csv", "test.csv"),
    "sms_spam": ("macro_f1", "sms.csv", None),
}
SPLIT = ("accuracy", "train.csv", "test.csv")  # of a set that is not among these
PEERS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "lr 5e-5": {**BEST, "learning_rate": 5e-5},
    "lr 1e-4": {**BEST, "learning_rate": 1e-4},
}


def cut(
    name: str,
    seed: int,
    sizes: tuple[int, int, int] = (TRAIN, VALIDATION, TEST),
    of_each_intent: tuple[int, int] = OF_EACH_INTENT,
) -> dict[str, list[tuple[str, str]]]:
    """The rows of both sides: the same for the peer and for us.

    Args:
        sizes: rows to learn from, to validate and to test. of_each_intent: of banking77, in the
            place of the first two.
    """
    _, train, test = SETS.get(name, SPLIT)
    learned, validated, tested = sizes
    rows = shuffled(read_rows(DATA / name / train), seed)
    if name == "banking77":
        per: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            per.setdefault(row[1], []).append(row)
        first, more = of_each_intent
        learn = [row for some in per.values() for row in some[:first]]
        validate = [row for some in per.values() for row in some[first : first + more]]
    else:
        learn, validate = rows[:learned], rows[learned : learned + validated]
    seen = {text.strip().lower() for text, _ in (*learn, *validate)}
    rest = shuffled(read_rows(DATA / name / test), 0) if test else rows[learned + validated :]
    judge = [row for row in rest if row[0].strip().lower() not in seen][:tested]
    return {"train": shuffled(learn, seed), "validation": validate, "test": judge}


def peers(name: str, seed: int, folder: Path, labels: list[str], truth: np.ndarray) -> Any:
    """What each setting of the peer scored, from results/peers.json where it is known."""
    from tunewright.evaluation.metrics import score

    path = RESULTS / "peers.json"
    known = json.loads(path.read_text()) if path.exists() else {"machine": machine(), "runs": {}}
    key = f"{name}/{seed}"
    seen = known["runs"].setdefault(key, {})
    for setting, values in PEERS.items():
        wanted = seed == SEEDS[0] or setting in ("defaults", better_rate(known, name))
        if wanted and setting not in seen:
            found = run_trainer(folder, labels, seed, threads=1, **values)
            probabilities = np.array(found.pop("probabilities"))
            probabilities /= probabilities.sum(1, keepdims=True)
            found["score"] = score(SETS[name][0], probabilities, truth)
            seen[setting] = found
            path.write_text(json.dumps(known, indent=1) + "\n")
            print(f"  Trainer {setting}: {found['score']:.4f} in {found['wall_s']:.0f} s")
    return seen


def better_rate(known: dict[str, Any], name: str) -> str:
    """The peer's learning rate that scored better on the first seed; it is run on all seeds."""
    first = known["runs"][f"{name}/{SEEDS[0]}"]
    return max((s for s in PEERS if s != "defaults"), key=lambda s: float(first[s]["score"]))


def peer_means(name: str) -> dict[str, float]:
    """Mean scores over the seeds: of the peer's defaults, and of the better of its two rates."""
    known = json.loads((RESULTS / "peers.json").read_text())
    return {
        setting: float(np.mean([known["runs"][f"{name}/{s}"][setting]["score"] for s in SEEDS]))
        for setting in ("defaults", better_rate(known, name))
    }


def better_peer(name: str) -> str:
    """The setting of the peer with the better mean."""
    means = peer_means(name)
    return max(means, key=lambda setting: means[setting])


def main() -> None:
    """Measure what was asked for, then print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    RESULTS.mkdir(exist_ok=True)
    if "--again" in sys.argv:
        (RESULTS / "peers.json").unlink(missing_ok=True)
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    names = [name for name in SETS if name in words] or list(SETS)
    if "scores" in words or "times" not in words:
        keep("quality", scores(names))
    if "times" in words or "scores" not in words:
        keep("times", times(names))
    show([name for name in names if is_measured(name)])


def is_measured(name: str) -> bool:
    """Whether scores on every seed and times are known."""
    if not ((RESULTS / "quality.json").exists() and (RESULTS / "times.json").exists()):
        return False
    table = json.loads((RESULTS / "quality.json").read_text())["runs"]
    walls = json.loads((RESULTS / "times.json").read_text())["runs"]
    return name in walls and all(f"{name}/{seed}" in table for seed in SEEDS)


def keep(name: str, table: dict[str, Any]) -> None:
    """Put the lines of a table into results/NAME.json, with the machine they were measured on."""
    path = RESULTS / f"{name}.json"
    known = json.loads(path.read_text())["runs"] if path.exists() else {}
    facts = {"machine": machine(), "runs": {**known, **table}}
    path.write_text(json.dumps(facts, indent=1) + "\n")


def scores(names: list[str]) -> dict[str, Any]:
    """Test scores of both sides: every set, every seed."""
    table: dict[str, Any] = {}
    for seed in SEEDS:
        for name in names:
            metric = SETS[name][0]
            with tempfile.TemporaryDirectory() as scratch:
                parts = cut(name, seed)
                folder, runs = Path(scratch) / "data", Path(scratch) / "runs"
                labels = write_parts(folder, parts)
                truth = np.array([labels.index(label) for _, label in parts["test"]])
                ours = run_tunewright(
                    folder, runs, seed, f"evaluate.metric={metric}", "train.threads=1"
                )
                mine = test_tunewright(ours["run"], runs)["test"][metric]
                print(f"{name} seed {seed}: {mine['value']:.4f}")
                table[f"{name}/{seed}"] = {
                    "tunewright": mine,
                    "trainer": peers(name, seed, folder, labels, truth),
                    "rows": {part: len(rows) for part, rows in parts.items()},
                }
    return table


def times(names: list[str]) -> dict[str, Any]:
    """Seconds of whole processes of both sides, on all cores, for the first seed."""
    table: dict[str, Any] = {}
    for name in names:
        metric = SETS[name][0]
        with tempfile.TemporaryDirectory() as scratch:
            folder, runs = Path(scratch) / "data", Path(scratch) / "runs"
            labels = write_parts(folder, cut(name, SEEDS[0]))
            ours = run_tunewright(folder, runs, SEEDS[0], f"evaluate.metric={metric}")
            table[name] = {"tunewright": ours["wall_s"]}
            setting = better_peer(name)
            found = run_trainer(folder, labels, SEEDS[0], **PEERS[setting], test=False)
            table[name][setting] = found["wall_s"]
            print(name, {key: round(wall_s) for key, wall_s in table[name].items()})
    return table


def show(names: list[str]) -> None:
    """Means over the seeds, of measured sets; the interval is the mean of the runs' own 95 % ones."""
    if not names:
        return
    table = json.loads((RESULTS / "quality.json").read_text())["runs"]
    walls = json.loads((RESULTS / "times.json").read_text())["runs"]
    print(
        "| data | rows to train | metric | Tunewright | Trainer, defaults "
        "| Trainer, better of two rates | wall, ours to the better peer's |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in names:
        metric = SETS[name][0]
        runs = [table[f"{name}/{seed}"] for seed in SEEDS]
        ours = {k: np.mean([r["tunewright"][k] for r in runs]) for k in ("value", "low", "high")}
        means, better = peer_means(name), better_peer(name)
        (rate,) = set(means) - {"defaults"}
        mine, theirs = walls[name]["tunewright"], walls[name][better]
        print(
            f"| {name} | {runs[0]['rows']['train']} | {metric} "
            f"| {ours['value']:.3f} [{ours['low']:.3f}, {ours['high']:.3f}] "
            f"| {means['defaults']:.3f} | {means[rate]:.3f} ({rate}) "
            f"| {mine:.0f} s to {theirs:.0f} s ({better}): {mine / theirs:.2f} |"
        )


if __name__ == "__main__":
    main()
