"""Synonyms: words mostly used in one sense, from a file of senses that is fetched once."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tunewright.errors import DataError
from tunewright.pretrained import lexicon

SENSES = """\
big%3:00:01:: 01382086 1 50
big%5:00:00:adult:00 01488616 2 3
large%3:00:00:: 01382086 1 90
bank%1:14:00:: 08420278 1 10
bank%1:17:01:: 09213565 2 10
bank%2:40:00:: 02343374 3 1
shore%1:17:01:: 09213565 1 3
seashore%1:17:01:: 09213565 1 0
vast_area%3:00:00:: 01382086 1 9
unseen%3:00:00:: 01382086 2 0
""".splitlines()


def test_synonyms_are_words_of_one_sense_in_its_main_use() -> None:
    assert lexicon.synonyms_from(SENSES) == {"big": ["large"], "large": ["big"], "shore": ["bank"]}


def archive_with(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode()
            info = tarfile.TarInfo(f"{lexicon._FOLDER}/{name.replace('_', '.')}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def fetching(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[object]:
    asked: list[object] = []

    def fetch(archive: object, into: Path) -> Path:
        asked.append(archive)
        (into / "a.tar.gz").write_bytes(content)
        return into / "a.tar.gz"

    monkeypatch.setattr(lexicon, "fetch_archive", fetch)
    return asked


def test_the_lexicon_is_fetched_once_and_lies_beside_its_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.dumps(lexicon.synonyms_from(SENSES))
    monkeypatch.setattr(lexicon, "SYNONYMS_SHA256", hashlib.sha256(found.encode()).hexdigest())
    content = archive_with(index_sense="\n".join(SENSES), LICENSE_txt="may be used")
    asked = fetching(monkeypatch, content)
    assert lexicon.fetch_synonyms()["big"] == ("large",)
    assert lexicon.fetch_synonyms()["shore"] == ("bank",)
    assert len(asked) == 1
    assert (tmp_path / "cache" / "lexicon" / "LICENSE.txt").read_text() == "may be used"


@pytest.mark.parametrize(
    "content",
    [b"no archive", archive_with(index_sense=""), archive_with(index_sense="", LICENSE_txt="")],
)
def test_an_archive_without_the_lexicon_is_a_data_error(
    monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    fetching(monkeypatch, content)
    with pytest.raises(DataError, match="lexicon"):
        lexicon.fetch_synonyms()
