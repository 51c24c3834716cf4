"""How alike two texts are: ROUGE, BLEU and chrF.

R samples of rows. ROUGE is a mean over rows. BLEU and chrF are scores of all rows together: what is
counted in each row can be summed over any rows, and the sums make the score.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import regex

from tunewright.evaluation.scored import Floats

BleuTokens = Literal["13a", "intl", "zh", "char"]
BLEU_ORDERS = 4
CHRF_ORDERS = 6
RECALL_WEIGHT = 4.0  # of chrF: beta squared
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD = rf"[{UNSPACED}]\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]+"
_WORDS = regex.compile(WORD, regex.VERSION1)
_PIECES = regex.compile(rf"{WORD}|\S", regex.VERSION1)


def one_spaced(text: str) -> str:
    """The text without white space around it, and with single spaces within."""
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """Runs of letters, marks and digits, in lower case; in scripts without spaces, each letter.

    In ASCII these are [a-z0-9]+, as the package rouge-score has them without stemming.

    >>> words("Don't: 2 हिन्दी, 模型!")
    ['don', 't', '2', 'हिन्दी', '模', '型']
    """
    return _found(_WORDS, text)


def pieces(text: str) -> list[str]:
    """The words, and each sign between them."""
    return _found(_PIECES, text)


def _found(pattern: Any, text: str) -> list[str]:
    found: list[str] = pattern.findall(unicodedata.normalize("NFC", text).lower())
    return found


def ngrams(tokens: Sequence[str], order: int) -> list[tuple[str, ...]]:
    """All runs of `order` tokens."""
    return list(zip(*(tokens[start:] for start in range(order)), strict=False))


def rouge(answer: str, reference: str, order: int) -> float:
    """F1 of the n-grams that both have, each counted as often as in the text with fewer.

    Where both texts are too short for one, 1.0 if they have the same words, or else 0.0;
    rouge-score says 0.0 of both.

    Source:
        Lin 2004, ROUGE.
    """
    ours, theirs = words(answer), words(reference)
    mine, right = (Counter(ngrams(each, order)) for each in (ours, theirs))
    if not mine and not right:
        return _same(answer, reference)
    return _f1((mine & right).total(), mine.total(), right.total())


def rouge_longest(answer: str, reference: str) -> float:
    """ROUGE-L: F1 of the longest common subsequence of words, of the whole texts."""
    ours, theirs = words(answer), words(reference)
    if not ours and not theirs:
        return _same(answer, reference)
    return _f1(longest_common(ours, theirs), len(ours), len(theirs))


def longest_common(one: Sequence[Hashable], two: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence.

    Source:
        Hyyrö 2004, Bit-parallel LCS-length computation revisited: a row of the table is one number.
    """
    places: dict[Hashable, int] = {}
    for place, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << place
    everywhere = (1 << len(one)) - 1
    row = everywhere
    for token in two:
        here = row & places.get(token, 0)
        row = ((row + here) | (row - here)) & everywhere
    return len(one) - row.bit_count()


def _same(answer: str, reference: str) -> float:
    ours, theirs = words(answer), words(reference)
    if ours or theirs:
        return float(ours == theirs)
    return float(one_spaced(answer) == one_spaced(reference))


def _f1(both: int, answered: int, right: int) -> float:
    return 2 * both / (answered + right)


@cache
def _sacrebleu(tokens: BleuTokens) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokens, effective_order=True)


def bleu_counts(answer: str, reference: str, tokens: BleuTokens = "13a") -> list[float]:
    """What BLEU is made from: tokens of the answer and the reference, n-grams right and there."""
    found = _sacrebleu(tokens).sentence_score(answer, [reference])
    return [found.sys_len, found.ref_len, *found.counts, *found.totals]


def bleu(counts: Floats) -> Floats:
    """BLEU from sums of counts (R, 10), between 0 and 1: sacrebleu's own divided by 100.

    As `sacrebleu.corpus_bleu` by default, also in its smoothing (exp); orders that no answer is
    long enough for are left out (effective_order), where by default the score would be zero.

    Source:
        Papineni et al. 2002; Post 2018.
    """
    ours, theirs = counts[:, 0], counts[:, 1]
    right, there = counts[:, 2 : 2 + BLEU_ORDERS], counts[:, 2 + BLEU_ORDERS :]
    none = (right == 0) & (there > 0)
    above = np.where(none, 0.5 ** none.cumsum(axis=1), right)
    precision = np.divide(above, there, out=np.ones_like(there), where=there > 0)
    orders = np.maximum(1, (there > 0).sum(axis=1))
    too_short = np.maximum(0, theirs / np.maximum(ours, 1) - 1)
    value = np.exp(np.log(precision).sum(axis=1) / orders - too_short)
    return np.where(right.any(axis=1), value, 0.0)


def chrf_counts(answer: str, reference: str) -> list[float]:
    """Of each order 1 to 6: character n-grams of the answer, of the reference, and of both."""
    from sacrebleu import extract_char_ngrams

    counts: list[float] = []
    for order in range(1, CHRF_ORDERS + 1):
        ours, theirs = (extract_char_ngrams(text, order) for text in (answer, reference))
        both = sum(min(ours[gram], theirs[gram]) for gram in ours.keys() & theirs.keys())
        counts += [ours.total() if theirs else 0, theirs.total(), both]
    return counts


def chrf(counts: Floats) -> Floats:
    """chrF2 from sums of counts (R, 18), between 0 and 1: sacrebleu's own divided by 100.

    Source:
        Popović 2015, chrF.
    """
    ours, theirs, both = (counts[:, part::3] for part in range(3))
    there = (ours > 0) & (theirs > 0)
    orders = np.maximum(1, there.sum(axis=1))
    precision, recall = (
        np.divide(both, each, out=np.zeros_like(both), where=there).sum(axis=1) / orders
        for each in (ours, theirs)
    )
    below = RECALL_WEIGHT * precision + recall
    above = (1 + RECALL_WEIGHT) * precision * recall
    return np.asarray(np.divide(above, below, out=np.zeros_like(below), where=below > 0))
