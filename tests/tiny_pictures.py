"""Tiny pictures of two colours and more, and the layouts that they come in."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

COLOURS = {"red": (220, 40, 40), "blue": (40, 40, 220), "green": (40, 200, 40)}


def picture_bytes(colour: str, seed: int, *, kind: str = "PNG", side: int = 12) -> bytes:
    """A noisy picture of one colour; the seed makes it different from others."""
    from PIL import Image

    noise = np.random.default_rng(seed).integers(-30, 30, (side, side, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write_picture(path: Path, colour: str, seed: int, *, kind: str = "PNG", side: int = 12) -> Path:
    """The same as a file; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture_bytes(colour, seed, kind=kind, side=side))
    return path


def class_folders(folder: Path, counts: Mapping[str, int] | None = None, *, first: int = 0) -> Path:
    """`folder/red/0.png` and so on, each picture different; the folder."""
    for place, (colour, count) in enumerate((counts or {"red": 15, "blue": 15}).items()):
        for number in range(count):
            seed = first + 1000 * place + number
            write_picture(folder / colour / f"{number}.png", colour, seed)
    return folder


def csv_of_paths(folder: Path, count: int = 30) -> Path:
    """`folder/rows.csv` with the columns path and label; the pictures lie in `folder/in`."""
    lines = ["path,label"]
    for number in range(count):
        colour = ("red", "blue")[number % 2]
        write_picture(folder / "in" / f"{number}.png", colour, number)
        lines.append(f"in/{number}.png,{colour}")
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def parquet_of_pictures(path: Path, pictures: list[bytes | None], labels: list[str]) -> Path:
    """As `datasets` writes a column of images: structs of bytes and path."""
    held = [None if data is None else {"bytes": data, "path": "x.png"} for data in pictures]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(held, kind), "label": labels})
    pyarrow.parquet.write_table(table, path)
    return path
