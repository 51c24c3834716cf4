"""Every malformed file gets two lines: what is wrong and where, and the next move."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bad_files import CASES, CSV, Builder, raw

from tunewright.data.check import check_rows
from tunewright.data.columns import find_columns
from tunewright.data.read import read_data
from tunewright.data.rows import Rows, build_rows
from tunewright.data.split import split_rows
from tunewright.errors import DataError, TunewrightError


def prepare(
    path: Path, *, group: str | None = None, time: str | None = None, label: str = "auto"
) -> dict[str, Rows]:
    """From a path to split rows, as a run does it."""
    rows = {}
    for part, table in read_data(path).items():
        columns = find_columns(table, label=label)
        rows[part] = build_rows(table, columns, group=group, time=time)
    check_rows(rows, columns.kind).refuse_errors()
    if "all" in rows:
        by = "group" if group else "time" if time else "stratified"
        split_rows(rows["all"], by=by, validation=0.2, test=0.2, seed=0)
    return rows


def assert_two_lines(error: TunewrightError, expected: str) -> None:
    assert expected in error.what
    assert error.what.strip()
    assert error.fix.strip()
    assert len(str(error).splitlines()) == 2


def test_there_are_at_least_45_cases_with_names_of_their_own() -> None:
    names = [name for name, _, _ in CASES]
    assert len(set(names)) == len(names) >= 45


@pytest.mark.parametrize(("name", "build", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_malformed_file_is_refused_in_two_lines(
    name: str, build: Builder, expected: str, tmp_path: Path
) -> None:
    path = build(tmp_path)
    with pytest.raises(DataError) as caught:
        prepare(path)
    assert_two_lines(caught.value, expected)
    assert path.name in caught.value.what


def test_the_good_file_of_these_cases_passes(tmp_path: Path) -> None:
    assert len(prepare(raw("x.csv", CSV)(tmp_path))["all"]) == 40


def test_a_missing_file_names_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text(CSV)
    with pytest.raises(DataError) as caught:
        read_data(tmp_path / "tickest.csv")
    assert "tickets.csv" in caught.value.fix


SETTINGS = [
    ("group column missing", {"group": "customer"}, "no column 'customer'"),
    ("time column missing", {"time": "when"}, "no column 'when'"),
    ("time cannot be read", {"time": "text"}, "line 2 of"),
    ("label column missing", {"label": "lable"}, "no column 'lable'"),
    ("too few groups", {"group": "label"}, "has 2 groups"),
]


@pytest.mark.parametrize(("name", "settings", "expected"), SETTINGS, ids=[s[0] for s in SETTINGS])
def test_a_setting_that_the_file_cannot_serve_is_refused(
    name: str, settings: dict[str, str], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        prepare(raw("x.csv", CSV)(tmp_path), **settings)
    assert_two_lines(caught.value, expected)
    assert "x.csv" in caught.value.what


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_or_folder_without_permission_is_refused(tmp_path: Path) -> None:
    path = raw("x.csv", CSV)(tmp_path)
    path.chmod(0)
    with pytest.raises(DataError, match="may not be read"):
        read_data(path)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(DataError, match="may not be read"):
        read_data(closed)


def test_a_data_set_that_the_hub_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import HfApi

    def load(name: str) -> None:
        raise ConnectionError("offline\nwith a long story")

    monkeypatch.setattr(HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError) as caught:
        read_data("nobody/has-this-set")
    assert_two_lines(caught.value, "nobody/has-this-set")
