"""How metrics are written for people."""

from __future__ import annotations

# metric -> (what people call it, factor, decimals); a factor of 100 is shown in percent and points
SHOWN: dict[str, tuple[str, int, int]] = {
    "accuracy": ("accuracy", 100, 1),
    "macro_f1": ("macro-F1", 100, 1),
    "micro_f1": ("micro-F1", 100, 1),
    "exact_match": ("exact match", 100, 1),
    "mcc": ("MCC", 1, 3),
    "log_loss": ("log loss", 1, 3),
    "calibration_error": ("calibration error", 1, 3),
    "rmse": ("RMSE", 1, 3),
    "mae": ("mean absolute error", 1, 3),
    "r2": ("R²", 1, 3),
    "pearson": ("Pearson correlation", 1, 3),
    "spearman": ("Spearman correlation", 1, 3),
    "loss": ("loss", 1, 3),
    "token_accuracy": ("token accuracy", 100, 1),
    "perplexity": ("perplexity", 1, 2),
    "preference_accuracy": ("preference accuracy", 100, 1),
    "reward_margin": ("reward margin", 1, 3),
    "rouge1": ("ROUGE-1", 100, 1),
    "rouge2": ("ROUGE-2", 100, 1),
    "rougeL": ("ROUGE-L", 100, 1),
    "bleu": ("BLEU", 100, 1),
    "json_valid": ("valid JSON", 100, 1),
    "json_equal": ("equal JSON", 100, 1),
    "number_match": ("right numbers", 100, 1),
    "tool_calls": ("right tool calls", 100, 1),
    "format_rate": ("in the format", 100, 1),
    "repetition": ("repeated 4-grams", 100, 1),
    "ends": ("ended by itself", 100, 1),
    "length_characters": ("characters", 1, 0),
    "length_words": ("words", 1, 0),
}


def word(metric: str) -> str:
    """What people call a metric; its own name when it is not known."""
    return SHOWN.get(metric, (metric, 1, 3))[0]


def in_percent(metric: str) -> bool:
    """Whether a metric is shown in percent, and its differences in points."""
    return SHOWN.get(metric, (metric, 1, 3))[1] == 100


def number(metric: str, value: float) -> str:
    """A value without its unit.

    >>> number("accuracy", 0.9137), number("mcc", -0.00001)
    ('91.4', '0.000')
    """
    _, factor, decimals = SHOWN.get(metric, (metric, 1, 3))
    text = f"{factor * value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def pace(rows_per_s: float) -> str:
    """How fast rows go by, in a unit that leaves digits to see.

    >>> pace(1234.5), pace(3.14), pace(0.2), pace(0.004)
    ('1,234 rows/s', '3.1 rows/s', '12 rows/min', '14 rows/h')
    """
    for per_s, unit in ((1, "s"), (60, "min"), (3600, "h")):
        rate = rows_per_s * per_s
        if rate >= 1 or unit == "h":
            break
    return f"{rate:,.0f} rows/{unit}" if rate >= 10 else f"{rate:.1f} rows/{unit}"


def bounds(metric: str, low: float, high: float) -> str:
    """An interval without its unit.

    >>> bounds("accuracy", 0.899, 0.928)
    '[89.9, 92.8]'
    """
    return f"[{number(metric, low)}, {number(metric, high)}]"
