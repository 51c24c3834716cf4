"""A sealed part of pictures: paths and ids are kept, and the content behind them is proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiny_pictures import class_folders, write_picture
from tunewright.data.prepare import prepare
from tunewright.data.seal import looks, open_seal
from tunewright.errors import ChangedError, SealError
from tunewright.recipe.schema import Data


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "pets")


@pytest.fixture
def run(pets: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    prepare(Data(train=str(pets)), 0, folder)
    return folder


def test_sealed_pictures_come_back_as_rows_of_pictures(run: Path) -> None:
    rows = open_seal(run, run_id="one", command="test")
    assert (rows.reads, rows.unit, len(rows)) == ("image", "picture", 4)
    assert all(Path(path).is_file() for path in rows.texts)
    assert sorted(set(rows.labels or [])) == ["blue", "red"]
    assert rows.place(0).split("/")[0] in ("blue", "red")


@pytest.mark.parametrize("change", ["other", "gone", "swapped"])
def test_a_changed_picture_is_named_and_no_look_is_counted(change: str, run: Path) -> None:
    before = open_seal(run, run_id="one", command="test")
    first, last = Path(before.texts[0]), Path(before.texts[3])
    if change == "other":
        write_picture(first, "green", 5)
    elif change == "gone":
        first.unlink()
    else:
        one, two = first.read_bytes(), last.read_bytes()
        first.write_bytes(two)
        last.write_bytes(one)
    with pytest.raises(SealError) as caught:
        open_seal(run, run_id="one", command="test")
    assert str(first) in caught.value.what
    assert len(str(caught.value).splitlines()) == 2
    assert len(looks(run)) == 1


def test_no_sealed_picture_is_named_in_clear(run: Path, pets: Path) -> None:
    for number in range(30):  # findings are written too, and name rows
        write_picture(pets / "red" / f"again-{number}.png", "red", number % 15)
    again = run.with_name("two")
    again.mkdir()
    prepare(Data(train=str(pets)), 0, again)
    names = {file.name.encode() for file in pets.rglob("*.png")}
    kept = [file.read_bytes() for folder in (run, again) for file in (folder / "data").iterdir()]
    assert len(kept) >= 8
    assert not [name for name in names for content in kept if b"/" + name in content]
    assert b'"picture": ' in (again / "data" / "findings.json").read_bytes()


def test_the_same_pictures_under_other_names_keep_the_seal(run: Path, pets: Path) -> None:
    prepare(Data(train=str(pets)), 0, run)
    for file in sorted(pets.rglob("*.png")):
        file.rename(file.with_name(f"new-{file.name}"))
    prepare(Data(train=str(pets)), 0, run)
    for number, file in enumerate(sorted(pets.rglob("*.png"))):
        write_picture(file, "green", number)
    with pytest.raises(ChangedError, match="sealed test part"):
        prepare(Data(train=str(pets)), 0, run)
