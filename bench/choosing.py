"""Does `choose` rank models as fine-tuning does? Five encoders on five real data sets.

Needs the data sets in ../shared/data, and the extra onnx. Each candidate is
probed on the rows, and then truly fine-tuned with the default recipe, one seed, one thread; the true
score is that on the test rows. Ranks are compared by weighted Kendall tau: that of `choose` beside those
of its probe, neighbours, H-score and LogME alone. Names of sets restrict it to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.beside import (
    run_tunewright,
    test_tunewright,
    write_parts,
)
from bench.candidates import candidates
from bench.quality import cut
from bench.set_by_set import set_by_set

SETS = {
    "banking77": "accuracy",
    "sst5": "accuracy",
    "tweeteval_emotion": "macro_f1",
    "sms_spam": "macro_f1",
    "amazon_counterfactual_en": "mcc",
}
SIZES = 500, 150, 600  # rows to learn from, to validate and to test
OF_EACH_INTENT = 10, 2
SCORES = ("rank", "probe", "knn", "h_score", "log_me")


def main() -> None:
    """Measure what was asked for, keep it in results/choosing.json, print the table."""
    if known := set_by_set("choosing.json", SETS, of_set):
        show(known)


def of_set(name: str, scratch: Path) -> list[dict[str, Any]]:
    """Each candidate: what `choose` says, and what fine-tuning makes of it."""
    from tunewright import choose

    metric, folder, runs = SETS[name], scratch / name, scratch / "runs"
    write_parts(folder, cut(name, 0, SIZES, OF_EACH_INTENT))
    models = candidates(scratch / "models")
    allowed = "data.allow=[leak, near-leak, contradictory-label]"  # public sets, as they are
    settings = (f"evaluate.metric={metric}", "train.threads=1", "seed=0", allowed)
    ranked = choose(folder, models=list(models.values()), settings=settings)
    said = {
        each["model"]: each | {"rank": -place}
        for place, each in enumerate(ranked["candidates"], start=1)
    }
    found = []
    for short, model in models.items():
        run = run_tunewright(folder, runs, 0, *settings[:2], model=model)
        score = test_tunewright(run["run"], runs)["test"][metric]
        facts = said[model]
        found.append(
            {
                "model": short,
                **{key: _value(facts[key]) for key in SCORES},
                "choose_s": facts["seconds"],
                "tuned": score["value"],
                "tuned_interval": [score["low"], score["high"]],
                "tuned_s": round(run["train"]["wall_s"], 1),
            }
        )
        print(name, found[-1], flush=True)
    return found


def _value(score: Any) -> float | None:
    return score["value"] if isinstance(score, dict) else score


def show(known: dict[str, list[dict[str, Any]]]) -> None:
    """Print two Markdown tables: ranks, and what the ranking cost."""
    from scipy.stats import weightedtau

    print(f"| data | {' | '.join(f'tau of {key}' for key in SCORES)} | cost, share of tuning all |")
    print("|---|" + "---|" * (len(SCORES) + 1))
    taus = []
    for name, found in known.items():
        tuned = np.array([each["tuned"] for each in found])
        taus.append(
            [float(weightedtau([each[key] for each in found], tuned).statistic) for key in SCORES]
        )
        cost = sum(each["choose_s"] for each in found) / sum(each["tuned_s"] for each in found)
        print(f"| {name} | {' | '.join(f'{tau:.2f}' for tau in taus[-1])} | {100 * cost:.1f} % |")
    mean = np.mean(taus, axis=0)
    print(f"| mean | {' | '.join(f'{tau:.2f}' for tau in mean)} | |")
    print("\n| data | model | probe | tuned |\n|---|---|---|---|")
    for name, found in known.items():
        for each in found:
            low, high = each["tuned_interval"]
            print(
                f"| {name} | {each['model']} | {each['probe']:.3f} "
                f"| {each['tuned']:.3f} [{low:.3f}, {high:.3f}] |"
            )


if __name__ == "__main__":
    main()
