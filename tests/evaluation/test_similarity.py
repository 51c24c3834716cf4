"""How alike texts are: hand-computed values, and what sacrebleu says."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from tunewright.evaluation import similarity
from tunewright.evaluation.generated import Generated
from tunewright.evaluation.written import Written

PAIRS = [
    ("the cat sat on the mat", "the cat lay on the mat today"),
    ("the the the the", "the cat"),
    ("", "something was expected here"),
    ("nothing was expected of this", ""),
    ("", ""),
    ("A quick brown fox jumps over it.", "A quick brown fox jumps over it."),
    ("Wrong, entirely.", "No word of that stands here, and it is longer"),
    ("Straße 北京 हिन्दी naïve", "Strasse 北京 हिन्दी naive 2"),
    ("ab", "abc"),
    ("it costs 3.50 &amp; more", "it costs 3.50 & more, <b>"),
]


def rows(pairs: list[tuple[str, str]]) -> Generated:
    return Generated([Written(answer, reference) for answer, reference in pairs])


def test_rouge_is_what_a_hand_computes() -> None:
    """6 and 7 words; 5 in common (the twice), 3 of 5 and 6 pairs, and 5 in order."""
    answer, reference = PAIRS[0]
    assert similarity.rouge(answer, reference, 1) == pytest.approx(2 * 5 / (6 + 7))
    assert similarity.rouge(answer, reference, 2) == pytest.approx(2 * 3 / (5 + 6))
    assert similarity.rouge_longest(answer, reference) == pytest.approx(2 * 5 / (6 + 7))


def test_a_repeated_word_counts_as_often_as_the_reference_has_it() -> None:
    assert similarity.rouge("the the the the", "the cat", 1) == pytest.approx(2 * 1 / (4 + 2))


def test_rouge_longest_keeps_the_order_of_words() -> None:
    """Lin's example: "the gunman killed police" has the same pairs, but not the same order."""
    reference = "police killed the gunman"
    assert similarity.rouge_longest("police kill the gunman", reference) == pytest.approx(3 / 4)
    assert similarity.rouge_longest("the gunman kill police", reference) == pytest.approx(2 / 4)


def test_the_longest_common_subsequence_is_that_of_the_textbook_table() -> None:
    def by_table(one: list[int], two: list[int]) -> int:
        row = [0] * (len(two) + 1)
        for first in one:
            above, row = row, [0]
            for at, second in enumerate(two):
                row.append(above[at] + 1 if first == second else max(above[at + 1], row[at]))
        return row[-1]

    generator = np.random.default_rng(0)
    for _ in range(200):
        one, two = (generator.integers(0, 4, generator.integers(0, 90)).tolist() for _ in "12")
        assert similarity.longest_common(one, two) == by_table(one, two)


def test_words_of_ascii_are_runs_of_letters_and_digits() -> None:
    assert similarity.words("Don't PAY_me 3.5%!") == ["don", "t", "pay", "me", "3", "5"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("Привет, мир", 2), ("مرحبا بالعالم", 2), ("हिन्दी भाषा", 2), ("北京大学", 4), ("GPT模型", 3)],
)
def test_no_script_is_without_words(text: str, count: int) -> None:
    assert len(similarity.words(text)) == count
    assert similarity.rouge(text, text, 1) == 1.0


def test_two_ways_to_write_the_same_letter_are_the_same_word() -> None:
    assert similarity.words("cafe\N{COMBINING ACUTE ACCENT}") == similarity.words("café")


@pytest.mark.parametrize(("answer", "reference"), [("!!!", "???"), ("", "???"), ("one", "two")])
def test_texts_too_short_for_an_ngram_are_alike_only_if_equal(answer: str, reference: str) -> None:
    assert similarity.rouge(answer, reference, 2) == 0.0
    assert similarity.rouge(answer, answer, 2) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_bleu_and_chrf_of_any_sample_are_those_of_sacrebleu_on_its_rows(seed: int) -> None:
    sample = np.random.default_rng(seed).integers(0, len(PAIRS), (6, len(PAIRS)))
    found = rows(PAIRS).measure(["bleu", "chrf"], sample)
    for at, drawn in enumerate(sample.tolist()):
        answers, references = zip(*(PAIRS[row] for row in drawn), strict=True)
        bleu = sacrebleu.corpus_bleu(answers, [references], force=True).score
        chrf = sacrebleu.corpus_chrf(answers, [references]).score
        assert 100 * found[0, at] == pytest.approx(bleu)
        assert 100 * found[1, at] == pytest.approx(chrf)


@pytest.mark.parametrize("row", range(len(PAIRS)))
def test_a_single_row_has_the_bleu_and_chrf_of_its_sentence(row: int) -> None:
    answer, reference = PAIRS[row]
    alone = rows([PAIRS[row]])
    bleu = sacrebleu.sentence_bleu(answer, [reference], use_effective_order=True).score
    assert 100 * alone.measure(["bleu"])[0, 0] == pytest.approx(bleu)
    chrf = sacrebleu.sentence_chrf(answer, [reference]).score
    assert 100 * alone.measure(["chrf"])[0, 0] == pytest.approx(chrf)


def test_bleu_counts_four_grams_in_chinese_only_with_its_tokens() -> None:
    counts = [
        similarity.bleu_counts("今天天气很好。", "今天天气不好。", tokens)
        for tokens in ("13a", "zh")
    ]
    assert counts[0][0] == 1
    assert counts[1][:2] == [7, 7]
