"""A user's own function scores answers, and its mistakes are told in two lines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tunewright.errors import DataError, RecipeError, TunewrightError
from tunewright.evaluation.generated import Generated
from tunewright.evaluation.own_metric import is_own, load_own
from tunewright.evaluation.written import Asked, Written

GOOD = """
from dataclasses import dataclass

@dataclass
class Rule:
    column: str = "tone"

def polite(answer, reference, row):
    return row[Rule().column] == "polite" and "please" in answer

def share(answer: str, reference: str, row: dict) -> float:
    return len(answer) / 10

not_a_function = 3
"""
ROWS = [
    Written("please", "x", row={"tone": "polite"}, place="mails.csv:2"),
    Written("now!", "x", row={"tone": "polite"}, place="mails.csv:3"),
]


def own(folder: Path, text: str, function: str = "score") -> tuple[str, Asked]:
    (folder / "tone.py").write_text(text, encoding="utf-8")
    name = f"tone.py:{function}"
    return name, Asked(own={name: load_own(name, folder)})


def two_lines(error: TunewrightError) -> str:
    assert str(error).count("\n") == 1
    return str(error)


@pytest.mark.parametrize(("function", "values"), [("polite", [1, 0]), ("share", [0.6, 0.4])])
def test_a_function_scores_each_row(tmp_path: Path, function: str, values: list[float]) -> None:
    name, asked = own(tmp_path, GOOD, function)
    rows = Generated(ROWS, asked)
    assert rows.each(name).tolist() == pytest.approx(values)
    assert rows.measure([name])[0, 0] == pytest.approx(sum(values) / 2)
    assert name in rows.fitting()


def test_only_a_function_in_a_file_is_ones_own() -> None:
    assert [is_own(name) for name in ("a/b.py:f", "C:\\a\\b.py:f", "b.py", "b:f", "bleu")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tone.py:missing", "has no function missing"),
        ("tone.py:not_a_function", "has no function not_a_function"),
        ("other.py:polite", "there is no file"),
        ("tone.py:", "names no function"),
        ("tone.py", "names no function"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "tone.py").write_text(GOOD, encoding="utf-8")
    with pytest.raises(RecipeError, match=said) as caught:
        load_own(name, tmp_path)
    two_lines(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module_at_all", "No module named"),
        ("def f(:\n", "SyntaxError"),
        ("x = 1\nraise SystemExit('a\\nb')", r"SystemExit: a b \(tone.py:2\)"),
    ],
)
def test_a_file_that_does_not_run_is_told_and_forgotten(
    tmp_path: Path, text: str, said: str
) -> None:
    before = set(sys.modules)
    with pytest.raises(RecipeError, match=said) as caught:
        own(tmp_path, text)
    two_lines(caught.value)
    assert {name for name in set(sys.modules) - before if "tunewright_metric" in name} == set()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", r"ZeroDivisionError: .* \(tone.py:1\)"),
        ("return row['colour']", r"KeyError: 'colour' \(tone.py:1\)"),
        ("return float('nan')", "gave nan"),
        ("return float('inf')", "gave inf"),
        ("return None", "gave None"),
        ("return 'good'", "gave 'good'"),
        ("return [1]", "gave something of type list"),
        ("raise SystemExit", "SystemExit"),
        ("return 10 ** 400", "gave something of type int"),
    ],
)
def test_a_row_that_cannot_be_scored_is_named(tmp_path: Path, body: str, said: str) -> None:
    name, asked = own(tmp_path, f"def score(answer, reference, row): {body}")
    with pytest.raises(DataError, match=said) as caught:
        Generated(ROWS, asked).measure([name])
    assert "row mails.csv:2" in two_lines(caught.value)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    text = (
        "import numpy as np\ndef score(a, r, row): return np.bool_(True) if a else np.float32(0.5)"
    )
    name, asked = own(tmp_path, text)
    assert Generated([Written("x", ""), Written("", "")], asked).each(name).tolist() == [1.0, 0.5]


def test_a_function_cannot_change_the_data(tmp_path: Path) -> None:
    name, asked = own(tmp_path, "def score(a, r, row): return len(row.pop('tone'))")
    assert Generated([ROWS[0], ROWS[0]], asked).measure([name])[0, 0] == 6
