"""A user's own metric: a Python function that scores one answer.

It is named `path/file.py:function` and called as `function(answer, reference, row)`, where row has
the columns of the data; it returns a finite number, or a bool. Its file is run only when named.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.errors import DataError, RecipeError

OwnMetric = Callable[[str, str, Mapping[str, Any]], Any]
EXAMPLE = "write it as path/file.py:function"


def is_own(name: str) -> bool:
    """Whether a metric's name is that of a function in a file.

    >>> is_own("scores/tone.py:politeness"), is_own("rouge1")
    (True, False)
    """
    return name.rpartition(":")[0].endswith(".py")


def load_own(name: str, folder: str | Path = ".") -> OwnMetric:
    """The function that is named `path/file.py:function`, its path seen from `folder`.

    Raises:
        RecipeError: no such file or function, or the file cannot be run.
    """
    where, _, function = name.rpartition(":")
    if not is_own(name) or not function:
        raise RecipeError(f"metric {name!r} names no function in a file", fix=EXAMPLE)
    path = Path(folder, where).resolve()
    if not path.is_file():
        raise RecipeError(
            f"metric {name!r}: there is no file {path}", fix=f"give the path as seen from {folder}"
        )
    found = getattr(_run(path, name), function, None)
    if not callable(found):
        raise RecipeError(
            f"metric {name!r}: {path} has no function {function}",
            fix=f"write `def {function}(answer, reference, row):` there",
        )
    own: OwnMetric = found
    return own


def _run(path: Path, name: str) -> Any:
    module_name = f"tunewright_metric_{sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise RecipeError(f"metric {name!r}: {path} is not a Python file", fix=EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickle look a module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise RecipeError(
            f"metric {name!r}: {path} cannot be run: {_told(error)}",
            fix=f"mend it, until this works: python {path}",
        ) from error
    return module


def score_own(
    name: str,
    function: OwnMetric,
    answer: str,
    reference: str,
    row: Mapping[str, Any],
    *,
    place: str,
) -> float:
    """What a user's function says of one answer.

    Args:
        place: of the row, such as "tickets.csv:17".
    Raises:
        DataError: the function raised, or gave something else than a finite number.
    """
    try:
        value = function(answer, reference, dict(row))
    except (Exception, SystemExit) as error:
        raise DataError(
            f"metric {name!r} failed on row {place}: {_told(error)}",
            fix=f"let {name.rpartition(':')[2]} return a number for every answer, also an empty one",
        ) from error
    number = _finite(value)
    if number is None:
        raise DataError(
            f"metric {name!r} gave {_gist(value)} for row {place}, expected a finite number or a "
            "bool",
            fix="return a float, or True or False",
        )
    return number


def _finite(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, Real | np.bool_) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _gist(value: Any) -> str:
    plain = value is None or isinstance(value, str | float)
    return _short(repr(value)) if plain else f"something of type {type(value).__name__}"


def _told(error: BaseException) -> str:
    """The error in one line, with the line of the user's file where it arose."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    return _short(f"{type(error).__name__}: {error}") + f" ({where})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else text[:199] + "…"
