"""What is counted in each row of texts that a model wrote.

S counts of a row, R samples of rows. Every score is made from counts that are summed over rows: of
most metrics the row's value and a one, so that the score is a mean; of BLEU and chrF n-grams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import regex

from tunewright.errors import DataError, RecipeError
from tunewright.evaluation import similarity
from tunewright.evaluation.json_answers import calls_in, read_json, same_calls
from tunewright.evaluation.last_number import last_number
from tunewright.evaluation.own_metric import OwnMetric, score_own
from tunewright.evaluation.scored import Floats
from tunewright.evaluation.similarity import BleuTokens

REPEATED = 4  # pieces in a row
PATTERN_TIMEOUT_S = 1.0
NOT_COUNTED = (0.0, 0.0)


@dataclass(frozen=True)
class Written:
    """An answer beside its reference.

    Args:
        ended: whether the answer stopped by itself, rather than by the limit of its length; None
            where that is not known.
        answer_calls, reference_calls: tool calls, see `same_calls`; None to find them in the text.
        row: the columns of the data, for a user's own metric.
        place: such as "tickets.csv:17"; "" for the row's number, from 1 on.
    """

    answer: str
    reference: str
    ended: bool | None = None
    answer_calls: Sequence[Mapping[str, Any]] | None = None
    reference_calls: Sequence[Mapping[str, Any]] | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class Asked:
    """What some metrics need to be told.

    Args:
        pattern: regular expression that `format_rate` looks for, anywhere in the answer unless it
            is anchored.
        own: name `path/file.py:function` -> function, see `own_metric`.
        bleu_tokens: how BLEU cuts texts: 13a as usual, zh for Chinese, char for other scripts
            without spaces, intl for other alphabets.
    Raises:
        RecipeError: the pattern is not a regular expression.
    """

    pattern: str | None = None
    own: Mapping[str, OwnMetric] = field(default_factory=dict)
    bleu_tokens: BleuTokens = "13a"

    def __post_init__(self) -> None:
        try:
            regex.compile(self.pattern or "")
        except regex.error as error:
            raise RecipeError(
                f"{self.pattern!r} is not a regular expression: {error}",
                fix="correct it; a backslash goes before signs that stand for themselves",
            ) from error


def mean(counts: Floats) -> Floats:
    """Sums of values over sums of ones, (R, 2); 0 where no row counts."""
    value, rows = counts.T
    return np.asarray(np.divide(value, rows, out=np.zeros_like(value), where=rows > 0))


@dataclass(frozen=True)
class Metric:
    """How a row is counted, and what sums of counts are worth: (R, S) -> (R,)."""

    count: Callable[[Written, Asked], Sequence[float]]
    score: Callable[[Floats], Floats] = mean


def own_count(name: str, row: Written, asked: Asked) -> Sequence[float]:
    """What a user's function says of the row."""
    value = score_own(name, asked.own[name], row.answer, row.reference, row.row, place=row.place)
    return value, 1.0


def _exact_match(row: Written, asked: Asked) -> Sequence[float]:
    """Whether both are the same text, but for white space."""
    same = similarity.one_spaced(row.answer) == similarity.one_spaced(row.reference)
    return float(same), 1.0


def _rouge(order: int, row: Written, asked: Asked) -> Sequence[float]:
    """F1 of n-grams of words."""
    return similarity.rouge(row.answer, row.reference, order), 1.0


def _rouge_longest(row: Written, asked: Asked) -> Sequence[float]:
    """F1 of the longest common subsequence of words."""
    return similarity.rouge_longest(row.answer, row.reference), 1.0


def _bleu(row: Written, asked: Asked) -> Sequence[float]:
    return similarity.bleu_counts(row.answer, row.reference, asked.bleu_tokens)


def _chrf(row: Written, asked: Asked) -> Sequence[float]:
    return similarity.chrf_counts(row.answer, row.reference)


def _json_valid(row: Written, asked: Asked) -> Sequence[float]:
    """Whether the answer is JSON and nothing else."""
    return float(read_json(row.answer) is not None), 1.0


def _json_equal(row: Written, asked: Asked) -> Sequence[float]:
    """Whether the answer is the same JSON value; of rows whose reference is JSON."""
    right = read_json(row.reference)
    return NOT_COUNTED if right is None else (float(read_json(row.answer) == right), 1.0)


def _tool_calls(row: Written, asked: Asked) -> Sequence[float]:
    """Whether the same functions are called with the same arguments, or none on both sides."""
    ours = calls_of(row.answer_calls, row.answer)
    theirs = calls_of(row.reference_calls, row.reference)
    return float(same_calls(ours, theirs)), 1.0


def calls_of(given: Sequence[Mapping[str, Any]] | None, text: str) -> Sequence[Mapping[str, Any]]:
    """The calls that are given, or else those in the text."""
    return calls_in(text) if given is None else given


def _number_match(row: Written, asked: Asked) -> Sequence[float]:
    """Whether the last numbers are equal; of rows whose reference has one."""
    right = last_number(row.reference)
    return NOT_COUNTED if right is None else (float(last_number(row.answer) == right), 1.0)


def _format_rate(row: Written, asked: Asked) -> Sequence[float]:
    """Whether the regular expression is found in the answer."""
    if asked.pattern is None:
        raise RecipeError(
            "metric 'format_rate' needs the regular expression that answers should match",
            fix="give the pattern, or leave the metric out",
        )
    try:
        found = regex.search(asked.pattern, row.answer, timeout=PATTERN_TIMEOUT_S)
    except TimeoutError as error:
        raise RecipeError(
            f"the regular expression {asked.pattern!r} took more than {PATTERN_TIMEOUT_S:g} s on "
            f"the answer to row {row.place}",
            fix="leave out repetition within repetition, such as (a+)+",
        ) from error
    return float(found is not None), 1.0


def _length_characters(row: Written, asked: Asked) -> Sequence[float]:
    return len(row.answer), 1.0


def _length_words(row: Written, asked: Asked) -> Sequence[float]:
    """Words as `similarity.words` counts them."""
    return len(similarity.words(row.answer)), 1.0


def _repetition(row: Written, asked: Asked) -> Sequence[float]:
    """Share of the runs of four words or signs that the answer already had; 0 if it has none.

    Source:
        Welleck et al. 2020, Neural text generation with unlikelihood training (seq-rep-4).
    """
    runs = similarity.ngrams(similarity.pieces(row.answer), REPEATED)
    return (1 - len(set(runs)) / len(runs) if runs else 0.0), 1.0


def _ends(row: Written, asked: Asked) -> Sequence[float]:
    """Whether the answer stopped by itself."""
    if row.ended is None:
        raise DataError(
            f"metric 'ends': of row {row.place} it is not known why its answer stopped",
            fix="pass ended=True or False for every row, or leave the metric out",
        )
    return float(row.ended), 1.0


METRICS: dict[str, Metric] = {
    "exact_match": Metric(_exact_match),
    "rouge1": Metric(partial(_rouge, 1)),
    "rouge2": Metric(partial(_rouge, 2)),
    "rougeL": Metric(_rouge_longest),
    "bleu": Metric(_bleu, similarity.bleu),
    "chrf": Metric(_chrf, similarity.chrf),
    "json_valid": Metric(_json_valid),
    "json_equal": Metric(_json_equal),
    "tool_calls": Metric(_tool_calls),
    "number_match": Metric(_number_match),
    "format_rate": Metric(_format_rate),
    "length_characters": Metric(_length_characters),
    "length_words": Metric(_length_words),
    "repetition": Metric(_repetition),
    "ends": Metric(_ends),
}
TOLD = ("length_characters", "length_words")
"""Neither more nor less is better: these cannot decide."""
HIGHER_IS_BETTER = {name: name != "repetition" for name in METRICS if name not in TOLD}
SHARES = tuple(name for name, better in HIGHER_IS_BETTER.items() if better)
"""1 where every row is right."""
OF_ROWS = ("exact_match", "json_valid", "json_equal", "number_match", "tool_calls", "format_rate")
"""Shares of rows that are right or wrong."""
