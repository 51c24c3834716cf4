import copy
import json
from pathlib import Path
from typing import Any

import pytest

from result_example import a_result
from tunewright.errors import RunError
from tunewright.history.result import read_result, write_result


def test_a_result_comes_back_as_it_was_written(tmp_path: Path):
    write_result(tmp_path, a_result())
    assert read_result(tmp_path) == a_result()


def test_keys_beyond_the_promised_ones_are_kept(tmp_path: Path):
    result = a_result() | {"per_class": [1]}
    result["test"] = {"looks": 1, "accuracy": result["validation"]["accuracy"], "rows": 5}
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result


def broken(*path: str, value: Any = None) -> dict[str, Any]:
    result = copy.deepcopy(a_result())
    part = result
    for key in path[:-1]:
        part = part[key]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return result


BROKEN = [
    broken("metric"),
    broken("metric", value="f1"),
    broken("schema_version", value=2),
    broken("validation", "accuracy", "low"),
    broken("validation", "accuracy", value=0.9),
    broken("validation", "accuracy", "value", value=float("nan")),
    broken("test", value={"accuracy": {"value": 1.0, "low": 1.0, "high": 1.0}}),
    broken("test", value={"looks": 1}),
    broken("verdict", "sentence"),
    broken("train", "wall_s", value="fast"),
    broken("model", "parameters", value=True),
]


@pytest.mark.parametrize("result", BROKEN)
def test_a_result_of_another_shape_is_not_written(tmp_path: Path, result: dict[str, Any]):
    with pytest.raises(ValueError, match="Result"):
        write_result(tmp_path, result)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("result", BROKEN)
def test_a_result_of_another_shape_is_a_run_error_when_read(tmp_path: Path, result: dict[str, Any]):
    (tmp_path / "result.json").write_text(json.dumps(result))
    with pytest.raises(RunError, match="promised shape"):
        read_result(tmp_path)


def test_a_missing_and_a_torn_result_are_told_apart(tmp_path: Path):
    with pytest.raises(RunError, match="no result yet"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text('{"task"')
    with pytest.raises(RunError, match="cannot be read"):
        read_result(tmp_path)
