"""The formula of a multi grader: `+ - * / ^`, and a few functions of numbers.

Read by Python's own parser and evaluated here, with floating-point numbers alone: there is
nothing that a formula could hang on, name, or reach.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
from collections.abc import Callable, Collection, Mapping

DEEPEST = 200
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_OF_ONE: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}
_OF_SEVERAL: dict[str, Callable[..., float]] = {"min": min, "max": max}
FUNCTIONS = (*_OF_SEVERAL, *_OF_ONE)


class FormulaError(Exception):
    """A formula cannot be read, or has no value.

    Args:
        what: what is wrong, and where.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def evaluate(formula: str, values: Mapping[str, float]) -> float:
    """The value of a formula over named numbers.

    >>> evaluate("2 * quality ^ 2 - min(1, length)", {"quality": 3, "length": 5})
    17.0

    Raises:
        FormulaError: it cannot be read, names what is not there, or its value is no finite number.
    """
    tree = _read(formula, values)
    try:
        value = float(_value(tree, values))
    except OverflowError:
        raise FormulaError("a number in the formula becomes too large") from None
    except ZeroDivisionError:
        raise FormulaError("the formula divides by zero") from None
    except ValueError:
        raise FormulaError("a function of the formula has no value there") from None
    if not math.isfinite(value):
        raise FormulaError("the formula has no finite value")
    return value


def problem_of(formula: str, names: Collection[str]) -> str | None:
    """What is wrong with a formula over these names, before their values are known."""
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name in FUNCTIONS:
            return f"a formula cannot name '{name}': letters, digits and _ make a name"
    try:
        _read(formula, names)
    except FormulaError as error:
        return error.what
    return None


def _read(formula: str, names: Collection[str]) -> ast.expr:
    if "**" in formula:
        raise FormulaError("'**' is not known; a power is written ^")
    try:  # ^ binds as a power does, and not as Python's bitwise operator
        tree = ast.parse(formula.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError("the formula cannot be read") from None
    _refuse(tree, names, depth=0)
    return tree


def _refuse(node: ast.expr, names: Collection[str], *, depth: int) -> None:
    if depth > DEEPEST:
        raise FormulaError(f"the formula is nested more than {DEEPEST} deep")
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name(id=name) if name in names:
            return
        case ast.Name(id=name):
            raise FormulaError(f"no grader is called '{name}' (known: {', '.join(sorted(names))})")
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            inner = [left, right]
        case ast.UnaryOp(op, operand) if type(op) in _UNARY:
            inner = [operand]
        case ast.Call(ast.Name(id=name), inner, []) if name in FUNCTIONS and inner:
            if name in _OF_ONE and len(inner) != 1:
                raise FormulaError(f"{name} is of one number, and has {len(inner)}")
        case _:
            known = f"+ - * / ^ {' '.join(FUNCTIONS)}"
            raise FormulaError(f"at character {node.col_offset + 1}: a formula has only {known}")
    for each in inner:
        _refuse(each, names, depth=depth + 1)


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return float(values[name])
        case ast.BinOp(left, op, right):
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op, operand):
            return _UNARY[type(op)](_value(operand, values))
        case ast.Call(ast.Name(id=name), inner):
            given = [_value(each, values) for each in inner]
            return float(
                (_OF_SEVERAL[name](given)) if name in _OF_SEVERAL else _OF_ONE[name](*given)
            )
    raise FormulaError("the formula cannot be read")
