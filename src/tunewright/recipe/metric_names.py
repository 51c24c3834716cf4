"""The names of the metrics that can decide, by what a row's label is."""

from __future__ import annotations

from typing import Literal

WRITTEN = (
    *("exact_match", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "json_valid", "json_equal"),
    *("tool_calls", "number_match", "format_rate", "repetition", "ends"),
)
"""Scores of answers that a language model writes: they pick its best step."""
METRICS: dict[str, tuple[str, ...]] = {
    "one": ("accuracy", "macro_f1", "mcc", "log_loss"),
    "several": ("micro_f1", "macro_f1", "exact_match", "log_loss"),
    "number": ("rmse", "mae", "r2", "pearson", "spearman"),
    "tokens": ("loss", "token_accuracy", "perplexity", *WRITTEN),
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
    "rouge1",
    "rouge2",
    "rougeL",
    "bleu",
    "chrf",
    "json_valid",
    "json_equal",
    "tool_calls",
    "number_match",
    "format_rate",
    "repetition",
    "ends",
]


def is_written(metric: str, task: str) -> bool:
    """Whether answers must be written to know this metric."""
    return task == "text-generation" and metric in WRITTEN


def judged_by(metric: str, task: str) -> str:
    """What gives the verdict where this metric picks the best step.

    Scores of written answers, which are few, have their own intervals beside it.
    """
    return "loss" if is_written(metric, task) else metric
