"""Data sets of pictures with something wrong: (name, builder(folder) -> path, part of the message)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from bad_files import Builder, Case

from tiny_pictures import class_folders, csv_of_paths, parquet_of_pictures, picture_bytes

PAIR = ["red", "blue"] * 15


def bomb() -> bytes:
    """A few bytes that say they are 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def _all_are(name: str, content: bytes) -> Builder:
    """Class folders in which every picture has this content and a number at its end."""

    def build(folder: Path) -> Path:
        pets = class_folders(folder / "pets")
        for number, file in enumerate(sorted(pets.rglob("*.png"))):
            file.unlink()
            tail = str(number).encode() if content else b""
            file.with_name(f"bad-{number}{name}").write_bytes(content + tail)
        return pets

    return build


def _missing_file(folder: Path) -> Path:
    path = csv_of_paths(folder)
    (folder / "in" / "3.png").unlink()
    return path


def _path_is_a_folder(folder: Path) -> Path:
    path = _missing_file(folder)
    (folder / "in" / "3.png").mkdir()
    return path


def _path_left_empty(folder: Path) -> Path:
    path = csv_of_paths(folder)
    path.write_text(path.read_text().replace("in/3.png", ""))
    return path


def _label_left_empty(folder: Path) -> Path:
    path = csv_of_paths(folder)
    path.write_text(path.read_text().replace("in/3.png,blue", "in/3.png,"))
    return path


def _no_label_column(folder: Path) -> Path:
    path = csv_of_paths(folder)
    path.write_text("\n".join(line.split(",")[0] for line in path.read_text().splitlines()))
    return path


def _one_class(folder: Path) -> Path:
    return class_folders(folder / "pets", {"red": 30})


def _few(folder: Path) -> Path:
    return class_folders(folder / "pets", {"red": 5, "blue": 5})


def _empty_class(folder: Path) -> Path:
    pets = class_folders(folder / "pets")
    (pets / "green").mkdir()
    return pets


def _empty_folder(folder: Path) -> Path:
    (folder / "pets").mkdir()
    return folder / "pets"


def _folder_named_as_a_picture(folder: Path) -> Path:
    pets = class_folders(folder / "pets")
    (pets / "red" / "x.jpg").mkdir()
    return pets


def _mixed(folder: Path) -> Path:
    pets = class_folders(folder / "pets")
    (pets / "loose.png").write_bytes(picture_bytes("red", 1))
    return pets


def _without_classes(folder: Path) -> Path:
    return class_folders(folder / "pets", {"red": 30}) / "red"


def _other_kind(folder: Path) -> Path:
    pets = class_folders(folder / "pets")
    (pets / "red" / "x.heic").write_bytes(b"x")
    return pets


def _parts_without_train(folder: Path) -> Path:
    class_folders(folder / "pets" / "test")
    return folder / "pets"


def _folder_beside_parts(folder: Path) -> Path:
    class_folders(folder / "pets" / "train")
    class_folders(folder / "pets" / "more")
    return folder / "pets"


def _strange_class_in_test(folder: Path) -> Path:
    class_folders(folder / "pets" / "train")
    class_folders(folder / "pets" / "test", {"red": 5, "green": 5}, first=5000)
    return folder / "pets"


def _broken_in_table(folder: Path) -> Path:
    pictures: list[bytes | None] = [b"no picture %d" % number for number in range(30)]
    return parquet_of_pictures(folder / "x.parquet", pictures, PAIR)


def _null_in_table(folder: Path) -> Path:
    pictures: list[bytes | None] = [picture_bytes("red", number) for number in range(30)]
    pictures[4] = None
    return parquet_of_pictures(folder / "x.parquet", pictures, PAIR)


def _one_picture(folder: Path) -> Path:
    return class_folders(folder / "pets") / "red" / "0.png"


CUT = picture_bytes("red", 1, kind="JPEG", side=64)[:-400]
PICTURES: list[Case] = [
    ("missing file", _missing_file, "line 5 of"),
    ("path is a folder", _path_is_a_folder, "that is a folder"),
    ("path left empty", _path_left_empty, "names no picture"),
    ("label left empty", _label_left_empty, "has no label"),
    ("no label column", _no_label_column, "which column is the label"),
    ("cut JPEG files", _all_are(".jpg", CUT[:700]), "format-image"),
    ("texts named .jpg", _all_are(".jpg", b"a text"), "no picture that can be read"),
    ("empty files", _all_are(".png", b""), "the file is empty"),
    ("too many pixels", _all_are(".png", bomb()), "more than 100 million"),
    ("one class", _one_class, "there is one class"),
    ("too few", _few, "expected 20 or more"),
    ("a class without pictures", _empty_class, "has no pictures"),
    ("an empty folder", _empty_folder, "has no data file"),
    ("a folder named as a picture", _folder_named_as_a_picture, "has a folder in it"),
    ("pictures beside class folders", _mixed, "beside its class folders"),
    ("pictures without a class", _without_classes, "without a class"),
    ("a kind that is not read", _other_kind, "of a kind that is not read"),
    ("parts without training", _parts_without_train, "no training part"),
    ("a folder beside the parts", _folder_beside_parts, "beside its parts"),
    ("a class that training has not", _strange_class_in_test, "that no training row has"),
    ("broken bytes in a table", _broken_in_table, "format-image"),
    ("null in the column of images", _null_in_table, "row 5 of"),
    ("one picture as the data", _one_picture, "not rows of text"),
]
