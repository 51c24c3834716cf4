import time

import pytest

from tunewright.grading.formula import FormulaError, evaluate, problem_of

VALUES = {"a": 0.5, "b": 3.0, "zero": 0.0}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("a + b", 3.5),
        ("(a + b) / 2", 1.75),
        ("2 * b ^ 2", 18.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-b ^ 2", -9.0),
        ("min(a, b) + max(a, b, 7)", 7.5),
        ("abs(-b) + floor(2.7) + ceil(2.1)", 8.0),
        ("exp(zero) + sqrt(4) + log(1)", 3.0),
        (" 0.5 * a\n", 0.25),
        ("1e3", 1000.0),
    ],
)
def test_a_formula_has_the_value_of_arithmetic(formula: str, value: float) -> None:
    assert evaluate(formula, VALUES) == pytest.approx(value)


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "a +",
        "a b",
        "unknown + 1",
        "a ** b",
        "a // b",
        "a % b",
        "a and b",
        "a if b else 1",
        "a < b",
        "[a, b]",
        "max()",
        "max(*a)",
        "sqrt(a, b)",
        "sqrt(x=a)",
        "True",
        "'a'",
        "1j",
        "(lambda: 1)()",
        "a.real",
        "__import__('os').system('true')",
        "().__class__",
        "print(a)",
        "a; b",
        "(a := 1)",
        "f'{a}'",
        "a & b",
        "~a",
        "not a",
        "1_000 if a else b",
        "(" * 500 + "a" + ")" * 500,
        "-" * 4000 + "a",
        "+".join("a" * 2000),
        "9" * 4000 + "^" + "9" * 90,
    ],
)
def test_what_is_no_arithmetic_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        evaluate(formula, VALUES)


@pytest.mark.parametrize(
    "formula",
    [
        "a / zero",
        "10 ^ 10 ^ 10",
        "9 ^ 9 ^ 9 ^ 9",
        "exp(1000)",
        "log(zero)",
        "sqrt(-b)",
        "(-b) ^ a",
        "zero ^ -1",
        "1e308 * 10",
        "1e308 * 10 - 1e308 * 10",
        "1" + "0" * 400,
        "floor(1e308 * 10)",
    ],
)
def test_a_formula_without_a_finite_value_is_told_at_once(formula: str) -> None:
    began = time.monotonic()
    with pytest.raises(FormulaError):
        evaluate(formula, VALUES)
    assert time.monotonic() - began < 1


def test_names_that_no_formula_can_say_are_told() -> None:
    assert problem_of("a + b", ["a", "b"]) is None
    for name in ("a b", "1a", "max", "lambda", ""):
        assert "cannot name" in str(problem_of("1", [name]))
    assert "no grader is called 'c'" in str(problem_of("c", ["a", "b"]))
