"""Which parameters mattered: how much of the scores' spread each one explains."""

from __future__ import annotations

import warnings
from typing import Any

from tunewright.tuning.study import Study

FEWEST = 6  # trials that went to their end


def importance(study: Study) -> dict[str, float]:
    """Parameter → its share, the largest first; empty where there are too few trials to tell.

    PED-ANOVA: how differently the best trials are spread over each parameter than all of them;
    it can be asked of parameters that only some trials have. Watanabe et al. 2023.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    ended = [each for each in study.trials if each.state.name == "COMPLETE"]
    varied = {
        key
        for key in {key for each in ended for key in each.params}
        if len({str(each.params.get(key)) for each in ended}) > 1
    }
    everywhere = [key for key in sorted(varied) if sum(key in e.params for e in ended) >= FEWEST]
    if len(ended) < FEWEST or not everywhere:
        return {}
    found: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key in everywhere:
            found[key] = _alone(study, key, get_param_importances, PedAnovaImportanceEvaluator)
    total = sum(found.values())
    if total <= 0:
        return {}
    ranked = sorted(found.items(), key=lambda each: -each[1])
    return {key: round(value / total, 4) for key, value in ranked}


def _alone(study: Study, key: str, ask: Any, evaluator: Any) -> float:
    """One parameter at a time: all of them together would need trials that have them all."""
    try:
        told = ask(
            study.record, evaluator=evaluator(target_quantile=0.3), params=[key], normalize=False
        )
    except (ValueError, RuntimeError):
        return 0.0
    value = float(told.get(key, 0.0))
    return value if value == value and value > 0 else 0.0
