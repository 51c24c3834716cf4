"""Rows that are pictures: read in every layout, and the same by their content alone."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from tiny_pictures import (
    class_folders,
    csv_of_paths,
    parquet_of_pictures,
    picture_bytes,
    write_picture,
)
from tunewright.cache import cache_folder
from tunewright.checking import check
from tunewright.data.columns import find_columns
from tunewright.data.pictures import look_at, small_picture
from tunewright.data.prepare import Prepared, prepare, same_columns
from tunewright.data.read import read_data, read_table
from tunewright.data.rows import Rows, build_rows
from tunewright.data.table import Table
from tunewright.errors import DataError
from tunewright.recipe.schema import READS, TASKS, Columns, Data

PAIR = ["red", "blue"] * 15


def rows_of(path: Path) -> Rows:
    table = read_table(path)
    return build_rows(table, find_columns(table))


def prepared(path: Path, run: Path, **more: object) -> Prepared:
    run.mkdir(parents=True, exist_ok=True)
    return prepare(Data.model_validate({"train": str(path), **more}), 0, run)


def codes(path: Path) -> dict[str, str]:
    """But for `tiny-image`, which all pictures here are."""
    findings = check(path)["findings"]
    return {each["code"]: each["severity"] for each in findings if each["code"] != "tiny-image"}


# ---- reading


def test_every_task_says_what_its_rows_are() -> None:
    assert set(READS) == set(TASKS)
    assert READS["image-classification"] == "image"


def test_the_name_of_a_class_folder_is_the_label(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", {"red": 2, "blue": 1})
    (folder / "LICENSE.txt").write_text("free for all")
    (folder / ".hidden").mkdir()
    table = read_data(folder)["all"]
    columns = find_columns(table)
    rows = build_rows(table, columns)
    assert (columns.task, columns.reads, columns.kind) == ("image-classification", "image", "one")
    assert list(rows.texts) == [
        str(folder / name) for name in ("blue/0.png", "red/0.png", "red/1.png")
    ]
    assert rows.labels == ["blue", "red", "red"]
    assert rows.reads == "image"
    assert rows.place(1) == f"red/0.png of {folder}"


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "dev", "test")])
def test_folders_of_parts_hold_class_folders(names: tuple[str, ...], tmp_path: Path) -> None:
    for part, name in enumerate(names):
        class_folders(tmp_path / "pets" / name, first=5000 * part)
    parts = read_data(tmp_path / "pets")
    assert list(parts) == ["train", "validation", "test"]
    assert [len(table) for table in parts.values()] == [30, 30, 30]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_paths_in_a_file_count_from_its_folder(suffix: str, tmp_path: Path) -> None:
    path = csv_of_paths(tmp_path)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    if suffix == "tsv":
        path = tmp_path / "rows.tsv"
        path.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    if suffix == "jsonl":
        path = tmp_path / "rows.jsonl"
        rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    read = rows_of(path)
    assert read.texts[3] == str(tmp_path / "in" / "3.png")
    assert (read.labels or [])[:2] == ["red", "blue"]
    assert read.place(0) == f"line {1 if suffix == 'jsonl' else 2} of {path}"


def test_a_path_may_be_whole_and_lead_outside(tmp_path: Path) -> None:
    path = csv_of_paths(tmp_path / "one")
    outside = write_picture(tmp_path / "two" / "x.png", "red", 77)
    lines = path.read_text().splitlines()
    lines[1:3] = [f"{outside},red", "../two/x.png,red"]
    path.write_text("\n".join(lines) + "\n")
    assert [Path(text).resolve() for text in rows_of(path).texts[:2]] == [outside, outside]


def test_pictures_in_a_table_become_files_of_the_cache_once(tmp_path: Path) -> None:
    data = [picture_bytes(colour, seed, kind="JPEG") for seed, colour in enumerate(PAIR)]
    path = parquet_of_pictures(tmp_path / "x.parquet", list(data), PAIR)
    rows = rows_of(path)
    name = hashlib.sha256(data[0]).hexdigest() + ".jpg"
    assert rows.texts[0] == str(cache_folder() / "pictures" / name)
    assert Path(rows.texts[0]).read_bytes() == data[0]
    before = Path(rows.texts[0]).stat().st_mtime_ns
    assert rows_of(path).ids == rows.ids
    assert Path(rows.texts[0]).stat().st_mtime_ns == before
    Path(rows.texts[0]).write_bytes(b"half")
    assert rows_of(path).ids == rows.ids


def test_a_column_of_bytes_may_hold_the_pictures(tmp_path: Path) -> None:
    data = [picture_bytes(colour, seed) for seed, colour in enumerate(PAIR)]
    pyarrow.parquet.write_table(pa.table({"shot": data, "kind": PAIR}), tmp_path / "x.parquet")
    table = read_table(tmp_path / "x.parquet")
    columns = find_columns(table)
    named = {name: column for name, column in columns.in_recipe.items() if column is not None}
    assert named == {"image": "shot", "label": "kind"}


# ---- columns


def test_the_reasons_say_why_rows_are_pictures(tmp_path: Path) -> None:
    columns = find_columns(read_table(csv_of_paths(tmp_path)))
    assert columns.reasons["task"] == "path holds pictures, and label holds 2 different values"
    assert "paths" in columns.reasons["image"]
    assert columns.reasons["text"] == "the rows are pictures"


def test_texts_beside_pictures_are_read_unless_pictures_are_asked_for() -> None:
    texts = [f"a text about number {number}" for number in range(30)]
    held = Table(
        ("text", "photo", "label"),
        pa.table({"text": texts, "photo": ["a.jpg"] * 30, "label": PAIR}),
        "x.csv",
    )
    assert find_columns(held).task == "text-classification"
    assert find_columns(held, task="image-classification").text == "photo"
    assert find_columns(held, image="photo").reasons["image"] == "named in the recipe"
    assert find_columns(held, image=None).in_recipe["image"] is None
    with pytest.raises(DataError, match="named as the picture"):
        find_columns(held, image="photo", task="text-classification")
    with pytest.raises(DataError, match="named as the text"):
        find_columns(held, text="text", task="image-classification")
    with pytest.raises(DataError, match="has no column 'phot'"):
        find_columns(held, image="phot")


def test_several_columns_of_paths_are_not_guessed_between() -> None:
    names = ["a.jpg"] * 30
    held = Table(
        ("near", "far", "label"), pa.table([names, names, PAIR], ["near", "far", "label"]), "x"
    )
    with pytest.raises(DataError, match="could be near or far"):
        find_columns(held)
    assert find_columns(held, image="far").text == "far"


def test_measured_numbers_are_no_classes_of_pictures() -> None:
    numbers = [number + 0.5 for number in range(30)]
    held = Table(("image", "label"), pa.table([["a.jpg"] * 30, numbers], ["image", "label"]), "x")
    with pytest.raises(DataError, match="different decimal numbers") as caught:
        find_columns(held)
    assert "text-" not in caught.value.fix


def test_the_resolved_columns_find_the_same_again(tmp_path: Path) -> None:
    path = csv_of_paths(tmp_path / "data")
    one = prepared(path, tmp_path / "one")
    resolved = Columns.model_validate(one.columns.in_recipe)
    two = prepared(path, tmp_path / "two", columns=resolved.model_dump())
    assert (one.data_hash, one.columns.text) == (two.data_hash, two.columns.text)


def test_a_folder_has_the_columns_of_a_file_of_paths(tmp_path: Path) -> None:
    of_file = find_columns(read_table(csv_of_paths(tmp_path / "file")))
    folder = read_table(class_folders(tmp_path / "folder"))
    found = same_columns(folder, of_file)
    assert (found.text, found.label) == ("image", "label")


# ---- identity


def test_a_row_is_known_by_the_content_of_its_picture(tmp_path: Path) -> None:
    one, two = class_folders(tmp_path / "one"), tmp_path / "two"
    one.rename(two)
    before = rows_of(two)
    for number, file in enumerate(sorted(two.rglob("*.png"))):
        file.rename(file.with_name(f"other-{number:03d}.png"))
    after = rows_of(two)
    assert sorted(after.ids) == sorted(before.ids)
    assert sorted(after.text_keys().tolist()) == sorted(before.text_keys().tolist())
    write_picture(next(two.rglob("*.png")), "green", 5)
    assert sorted(rows_of(two).ids) != sorted(before.ids)


def test_rows_keep_their_flaws_and_what_they_are_when_some_are_taken(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", {"red": 2, "blue": 2})
    (folder / "red" / "0.png").write_bytes(b"")
    rows = rows_of(folder).take([3, 2])
    assert rows.reads == "image"
    assert rows.flaws == [None, "the file is empty"]
    with pytest.raises(DataError, match=r"red/0\.png cannot be read: the file is empty"):
        rows.refuse_flaws()


def test_the_same_picture_under_two_names_stays_together_in_the_split(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", {"red": 30, "blue": 30})
    for number in range(30):
        write_picture(folder / "red" / f"copy-{number}.png", "red", number)
    assert codes(folder) == {"duplicate": "note"}
    parts = prepared(folder, tmp_path / "run")
    sealed = 90 - len(parts.train) - len(parts.validation)
    assert parts.seal.rows == sealed > 5
    train, validation = (set(some.text_keys().tolist()) for some in (parts.train, parts.validation))
    assert not train & validation
    assert len(parts.train) - len(train) > 5


def test_one_picture_with_two_labels_is_told(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets")
    write_picture(folder / "blue" / "again.png", "red", 0)
    found = {f["code"]: f for f in check(folder)["findings"]}
    assert (
        found["contradictory-label"]["message"]
        == "2 rows with the same picture and different labels"
    )


def test_a_picture_in_two_parts_is_a_leak_and_left_out_where_that_is_allowed(
    tmp_path: Path,
) -> None:
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", first=5000)
    write_picture(tmp_path / "pets" / "test" / "red" / "same.png", "red", 0)
    assert codes(tmp_path / "pets")["leak"] == "error"
    parts = prepared(tmp_path / "pets", tmp_path / "run", allow=("leak",))
    assert (parts.left_out, parts.seal.rows) == (1, 31)


# ---- the check


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets")
    broken = write_picture(folder / "red" / "cut.jpg", "red", 99, kind="JPEG", side=64)
    broken.write_bytes(broken.read_bytes()[:-400])
    (found,) = (each for each in check(folder)["findings"] if each["code"] == "format-image")
    assert (found["severity"], found["count"]) == ("warning", 1)
    assert found["rows"][0]["place"] == f"red/cut.jpg of {folder}"
    parts = prepared(folder, tmp_path / "run")
    assert (parts.left_out, sum(parts.sizes.values())) == (1, 30)


def test_where_no_picture_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets")
    for file in folder.rglob("*.png"):
        file.write_text(f"not a picture {file}")
    assert codes(folder)["format-image"] == "error"
    with pytest.raises(DataError, match="format-image: 30 rows"):
        prepared(folder, tmp_path / "run")


def test_names_are_not_judged_as_texts(tmp_path: Path) -> None:
    class_folders(tmp_path / "p", {"red": 20, "blue": 20})
    assert codes(tmp_path / "p") == {}


def test_classes_of_pictures_are_checked_like_others(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", {"red": 45, "blue": 2})
    for number in range(5):
        write_picture(folder / "Red" / f"{number}.png", "red", 9000 + number)
    found = codes(folder)
    assert {"class-imbalance", "label-spelling", "rare-class"} <= set(found)


# ---- files


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_every_format_is_decoded(kind: str, tmp_path: Path) -> None:
    path = write_picture(tmp_path / f"x.{kind.lower()}", "red", 1, kind=kind)
    assert next(look_at([str(path)])).flaw is None
    red, green, _ = small_picture(str(path), (8, 8)).resize((1, 1)).getpixel((0, 0))
    assert red > green + 100


def test_what_the_decoder_warns_of_is_not_passed_on(tmp_path: Path) -> None:
    from PIL import Image

    wide = tmp_path / "wide.png"
    Image.new("1", (9_500, 10_000)).save(wide)
    clear = tmp_path / "clear.png"
    Image.new("P", (8, 8)).save(clear, transparency=b"\x00\x80")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [look.flaw for look in look_at([str(wide), str(clear)])] == [None, None]
        assert small_picture(str(clear), (8, 8)).mode == "RGB"


def test_what_is_transparent_shows_white_and_what_is_turned_stands_upright(tmp_path: Path) -> None:
    from PIL import Image

    clear = tmp_path / "clear.png"
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear)
    assert small_picture(str(clear), (8, 8)).getpixel((0, 0)) == (255, 255, 255)
    turned = Image.new("RGB", (20, 10))
    turned.getexif()[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=turned.getexif())
    assert small_picture(str(tmp_path / "turned.jpg"), (20, 20)).size == (10, 20)
