"""Every data set of pictures with something wrong gets two lines: what and where, and the next move."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_files import Builder
from bad_pictures import PICTURES

from tunewright.data.prepare import prepare
from tunewright.errors import DataError
from tunewright.recipe.schema import Data


def test_there_are_at_least_20_cases_with_names_of_their_own() -> None:
    assert len({name for name, _, _ in PICTURES}) == len(PICTURES) >= 20


@pytest.mark.parametrize(
    ("name", "build", "expected"), PICTURES, ids=[case[0] for case in PICTURES]
)
def test_wrong_pictures_are_refused_in_two_lines(
    name: str, build: Builder, expected: str, tmp_path: Path
) -> None:
    path = build(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(DataError) as caught:
        prepare(Data(train=str(path)), 0, run)
    assert expected in caught.value.what, caught.value.what
    assert len(str(caught.value).splitlines()) == 2
    assert not list(run.iterdir())
