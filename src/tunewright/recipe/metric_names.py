"""The names of the metrics that can decide, by what a row's label is."""

from __future__ import annotations

from typing import Literal

METRICS: dict[str, tuple[str, ...]] = {
    "one": ("accuracy", "macro_f1", "mcc", "log_loss"),
    "several": ("micro_f1", "macro_f1", "exact_match", "log_loss"),
    "number": ("rmse", "mae", "r2", "pearson", "spearman"),
    "tokens": ("loss", "token_accuracy", "perplexity"),
    "preference": ("loss", "preference_accuracy", "reward_margin"),
}
"""Those that can decide."""
Metric = Literal[
    "accuracy",
    "macro_f1",
    "mcc",
    "log_loss",
    "micro_f1",
    "exact_match",
    "rmse",
    "mae",
    "r2",
    "pearson",
    "spearman",
    "loss",
    "token_accuracy",
    "perplexity",
    "preference_accuracy",
    "reward_margin",
]
