"""8 and 64 rows of each class: the default recipe beside SetFit, a frozen probe and Trainer.

All sides learn from the same rows with the same backbone; ours takes its validation rows out of
them. Needs the data sets in ../shared/data; says so and stops when they are not there. Every
result is kept in results/few_rows.json as it comes, and what is there is not measured again.
SetFit runs with its defaults, where it can be imported (by the Python in SETFIT_PYTHON, else by
this one), and where it ends within 20 minutes.

python -m bench.few_rows [SET …] [8|64 …] [tunewright|setfit|probe|trainer …] [--draws=N]
BENCH_THREADS sets the threads of every side, two unless said.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import (
    RESULTS,
    ROOT,
    Row,
    json_of,
    machine,
    minilm,
    read_rows,
    run_trainer,
    run_tunewright,
    shuffled,
    test_tunewright,
    write_parts,
)

DATA = ROOT.parent / "shared" / "data"
SETS = {
    "banking77": "accuracy",
    "sst5": "accuracy",
    "tweeteval_emotion": "accuracy",
    "amazon_counterfactual_en": "mcc",
}
PER_CLASS = ("8", "64")
DRAWS = {"tunewright": 10, "probe": 5, "setfit": 5, "trainer": 5}
TEST, LIMIT_S, THREADS = 500, 1200, int(os.environ.get("BENCH_THREADS", "2"))
KEPT = RESULTS / "few_rows.json"


def main() -> None:
    """Measure what was asked for and is not known, then print the table."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    words = set(sys.argv[1:])
    most = next(
        (int(w.split("=")[1]) for w in words if w.startswith("--draws=")), max(DRAWS.values())
    )
    names, pers, sides = (
        [each for each in known if each in words] or list(known)
        for known in (SETS, PER_CLASS, DRAWS)
    )
    if "setfit" in sides and not has_setfit():
        print("setfit cannot be imported: it is left out (SETFIT_PYTHON names a Python that can)")
        sides.remove("setfit")
    for draw in range(most):
        for per in pers:
            for name in names:
                for side in sides:
                    if draw < DRAWS[side]:
                        measure(name, int(per), draw, side)
    show()


def runs() -> dict[str, Any]:
    """What is known: "set/rows/draw/side" to score and wall_s, or why there is none."""
    found: dict[str, Any] = json.loads(KEPT.read_text())["runs"] if KEPT.exists() else {}
    return found


def measure(name: str, per: int, draw: int, side: str) -> None:
    """Run one side on one draw and keep what it scored, unless it is kept already."""
    key = f"{name}/{per}/{draw}/{side}"
    known = runs()
    too_long = [
        k for k, run in known.items() if k.startswith(f"{name}/{per}/") and k.endswith(side)
    ]
    if key in known or any("left_out" in known[other] for other in too_long):
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        labels = write_parts(folder, cut(name, per, draw))
        ask = ours if side == "tunewright" else theirs
        found = ask(folder, labels, draw, SETS[name], side)
    print(key, found, flush=True)
    RESULTS.mkdir(exist_ok=True)
    facts = {"machine": machine(), "runs": {**runs(), key: found}}
    KEPT.write_text(json.dumps(facts, indent=1) + "\n")


def cut(name: str, per: int, draw: int) -> dict[str, list[Row]]:
    """The first rows of each class in the order of this draw; test rows are always the same."""
    of_class: dict[str, list[Row]] = {}
    for row in shuffled(read_rows(DATA / name / "train.csv"), draw):
        of_class.setdefault(row[1], []).append(row)
    learn = [row for label in sorted(of_class) for row in of_class[label][:per]]
    seen = {text.strip().lower() for text, _ in learn}
    rest = shuffled(read_rows(DATA / name / "test.csv"), 0)[:TEST]
    return {
        "train": shuffled(learn, draw),
        "test": [row for row in rest if row[0].strip().lower() not in seen],
    }


def ours(folder: Path, labels: list[str], draw: int, metric: str, _: str) -> dict[str, Any]:
    """The default recipe, and what it chose."""
    where = folder.parent / "runs"
    result = run_tunewright(folder, where, draw, f"train.threads={THREADS}")
    tested = test_tunewright(result["run"], where)["test"][metric]
    return {
        "score": tested["value"],
        "wall_s": round(result["wall_s"], 1),
        "phases": [phase["name"] for phase in result["train"]["phases"]],
    }


def theirs(folder: Path, labels: list[str], draw: int, metric: str, side: str) -> dict[str, Any]:
    """A peer's score on the test rows, and the seconds until it could answer."""
    from tunewright.evaluation.metrics import score

    truth = np.array([labels.index(label) for _, label in read_rows(folder / "test.csv")])
    if side == "trainer":
        found = run_trainer(folder, labels, draw, threads=THREADS)
        answers = np.array(found["probabilities"]).argmax(axis=1)
    else:
        python = setfit_python() if side == "setfit" else sys.executable
        asked = json.dumps({"labels": labels, "seed": draw, "threads": THREADS, "limit_s": LIMIT_S})
        command = [python, "-m", "bench.few_rows_peer", side, str(folder), minilm(), asked]
        try:
            found = json_of(["timeout", str(LIMIT_S), *command])
        except RuntimeError as error:
            said = re.search(r"it would take [^\r\n]*", str(error))
            return {"left_out": said[0] if said else f"it failed: {str(error)[-300:]}"}
        answers = np.array(found["answers"])
    certain = np.eye(len(labels))[answers]
    return {"score": score(metric, certain, truth), "wall_s": round(found["wall_s"], 1)}


def setfit_python() -> str:
    """The Python that has SetFit."""
    return os.environ.get("SETFIT_PYTHON", sys.executable)


def has_setfit() -> bool:
    """Whether it can be imported there."""
    return not subprocess.run(
        [setfit_python(), "-c", "import setfit"], capture_output=True, check=False
    ).returncode


def show() -> None:
    """Mean over draws with its 95 % interval, and median seconds, of each side."""
    known = runs()
    print(f"| data | rows a class | {' | '.join(DRAWS)} | SetFit's seconds to ours |")
    print("|---|---|" + "---|" * (len(DRAWS) + 1))
    for name, metric in SETS.items():
        for per in PER_CLASS:
            cells, seconds = [], {}
            for side in DRAWS:
                found = [
                    run
                    for key, run in known.items()
                    if key.startswith(f"{name}/{per}/") and key.endswith(f"/{side}")
                ]
                done = [run for run in found if "score" in run]
                cells.append(cell(done) if done else "left out" if found else "")
                if done:
                    seconds[side] = float(np.median([run["wall_s"] for run in done]))
            ratio = ""
            if {"setfit", "tunewright"} <= seconds.keys():
                ratio = f"{seconds['setfit'] / seconds['tunewright']:.1f}"
            if any(cells):
                print(f"| {name} ({metric}) | {per} | {' | '.join(cells)} | {ratio} |")


def cell(done: list[dict[str, Any]]) -> str:
    """Such as 0.512 ± 0.031 (10; 14 s): Student's interval, draws, median seconds."""
    from scipy.stats import t

    scores = np.array([run["score"] for run in done])
    seconds = np.median([run["wall_s"] for run in done])
    if len(scores) < 2:
        return f"{scores.mean():.3f} (1; {seconds:.0f} s)"
    room = t.ppf(0.975, len(scores) - 1) * scores.std(ddof=1) / len(scores) ** 0.5
    return f"{scores.mean():.3f} ± {room:.3f} ({len(scores)}; {seconds:.0f} s)"


if __name__ == "__main__":
    main()
