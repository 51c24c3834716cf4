"""Example rows to try things on: sentences of product reviews with how they were rated.

From the archive beside Hutto & Gilbert (2014), which the source archive of the package
vaderSentiment carries. One text file is read out of it, in memory; nothing of it is run
beyond what pip does to learn an archive's name and version.
"""

from __future__ import annotations

import contextlib
import csv
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import filelock

from tunewright.cache import cache_folder
from tunewright.durable import disk_errors, file_sha256, make_folder, write_text
from tunewright.errors import DataError
from tunewright.pretrained.registry import Archive, fetch_archive

ARCHIVE = Archive(
    name="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    kind="source",
)
CSV_SHA256 = "c1cfdcf19bc5df33d6eeff392c2b429cf50040bbcd61cae8feef2adf40a140be"
COLUMNS = ("text", "label", "review", "valence")
_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_ROWS = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"
_CREDIT = """\
Sentences of product reviews (collected by Hu & Liu, 2004), each rated by at least twenty
people from -4 to +4 (column `valence`, the mean).

Source: Hutto, C. J. and Gilbert, E. (2014). VADER: A Parsimonious Rule-based Model for
Sentiment Analysis of Social Media Text. Eighth International Conference on Weblogs and
Social Media (ICWSM-14). The file amazonReviewSnippets_GroundTruth.txt of the source
archive of vaderSentiment 3.3.2. Licence: MIT, copyright (c) 2016 C. J. Hutto.

Made from it: label = the sign of the valence (positive or negative). {dropped} of {total}
sentences have a valence of exactly 0 and were left out; {kept} remain. `review` numbers the
review that a sentence is from: sentences of one review belong on one side of a split.
"""


def fetch_example(name: str = "reviews") -> Path:
    """The example's CSV in the cache, fetched on first use, with its credit in README.txt.

    Returns:
        path of reviews.csv; columns text, label (positive, negative), review, valence.
    Raises:
        DataError: there is no such example, or the archive is not as expected.
        ModelError: the archive could not be fetched.
    """
    if name != "reviews":
        raise DataError(f"there is no example {name!r}", fix="there is one: reviews")
    folder = make_folder(cache_folder() / "examples" / name)
    path = folder / f"{name}.csv"
    if not _is_whole(path):
        with _hold(folder):
            if not _is_whole(path):
                _make(folder, path)
    return path


def reviews_csv(lines: list[str]) -> tuple[str, int]:
    """The CSV text, and how many rows of valence 0 were left out.

    Args:
        lines: `review_sentence`, valence and text, separated by tabs.
    """
    out, dropped = io.StringIO(), 0
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, line in enumerate(lines, start=1):
        fields = line.split("\t")
        if len(fields) != 3:
            raise DataError(
                f"line {number} of {_ROWS} has {len(fields)} fields, not 3", fix="report it"
            )
        sentence, valence, text = fields
        if float(valence) == 0:
            dropped += 1
            continue
        label = "positive" if float(valence) > 0 else "negative"
        writer.writerow([text, label, sentence.partition("_")[0], valence])
    return out.getvalue(), dropped


def _make(folder: Path, path: Path) -> None:
    with disk_errors(folder), tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as work:
        lines = _read_lines(fetch_archive(ARCHIVE, Path(work)))
    text, dropped = reviews_csv(lines)
    credit = _CREDIT.format(
        dropped=dropped, total=f"{len(lines):,}", kept=f"{len(lines) - dropped:,}"
    )
    write_text(folder / "README.txt", credit)
    write_text(path, text)
    if not _is_whole(path):
        raise DataError(f"{path} is not the pinned example", fix="report it")


def _read_lines(archive: Path) -> list[str]:
    """The one file, read through both archives without unpacking either."""
    try:
        with (
            tarfile.open(archive) as outer,
            _member(outer, _INNER) as inner_file,
            tarfile.open(fileobj=inner_file) as inner,
            _member(inner, _ROWS) as rows,
        ):
            return rows.read().decode("utf-8").splitlines()
    except (tarfile.TarError, KeyError, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{archive.name} does not hold the example as expected: {error}", fix="report it"
        ) from None


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file


def _is_whole(path: Path) -> bool:
    return (
        path.with_name("README.txt").is_file()
        and path.is_file()
        and file_sha256(path) == CSV_SHA256
    )


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    with disk_errors(folder), filelock.FileLock(folder / ".lock"):
        yield
