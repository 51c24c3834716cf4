"""What is wrong with the rows: found before training, with place and fix."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.data.chat.check import format_findings
from tunewright.data.duplicates import KEY, Keys, text_key, together
from tunewright.data.findings import Finding, Findings, Place, show
from tunewright.data.labels import of_row
from tunewright.data.rows import Rows
from tunewright.errors import DataError
from tunewright.recipe.schema import Kind, Reads

MIN_ROWS = 20
IMBALANCE = 20
SHORT_CHARACTERS = 3
_ORDER = {"error": 0, "warning": 1, "note": 2}
Parts = Mapping[str, Rows]
_NOUNS: dict[Reads, str] = {
    "text": "text",
    "image": "picture",
    "chat": "conversation",
    "preference": "pair of answers",
}


@dataclass(frozen=True)
class _Index:
    """The parts with what every check asks: which rows are empty, and which are the same."""

    parts: Parts
    keys: dict[str, Keys]
    empty: dict[str, set[int]]
    kind: Kind

    @property
    def noun(self) -> str:
        """What a row is, for people."""
        return _NOUNS[next((rows.reads for rows in self.parts.values()), "text")]

    @property
    def of_form(self) -> bool:
        """Whether rows are conversations or preferences, without labels."""
        return self.noun not in ("text", "picture")

    def whole_keys(self) -> dict[str, Keys]:
        """One key for each row, the same where all of the row is, not its prompt alone."""
        if not self.of_form:
            return self.keys
        return {
            part: np.fromiter((text_key(text, None) for text in rows.texts), KEY, len(rows))
            for part, rows in self.parts.items()
        }

    def classes(self, rows: Rows) -> Iterator[tuple[int, str]]:
        """(row, class), as often as a row has one."""
        for row, label in enumerate(rows.labels or ()):
            for name in of_row(label, self.kind):
                yield row, name


def check_rows(parts: Parts, kind: Kind = "one") -> Findings:
    """Findings over all parts: {"all": rows}, or rows under train, validation and test.

    Args:
        kind: what a label is.
    Raises:
        DataError: nothing can be learned: no rows, only empty texts, one class, fewer than
            20 rows, nearly as many classes as rows.
    """
    index = _look(parts, kind)
    _refuse_hopeless(index)
    found = [
        *_of_content(index),
        *_duplicates(index),
        *_leaks(index),
        *_classes(index),
        *_spellings(index),
    ]
    return Findings(tuple(sorted(found, key=lambda finding: _ORDER[finding.severity])))


def _of_content(index: _Index) -> Iterator[Finding]:
    """What is wrong with rows one by one."""
    if index.of_form:
        return format_findings(index.parts.values())
    return _unreadable(index) if index.noun == "picture" else _empty_and_short(index)


def excluded(parts: Parts) -> dict[str, set[int]]:
    """Indices of each part that must not be used.

    Rows with empty texts, or pictures that cannot be read; rows of training that are also in validation or test, and rows of
    validation that are also in test. A given test part stays whole.
    """
    index = _look(parts)
    left_out = {part: set(rows) for part, rows in index.empty.items()}
    for part, other in _pairs_of_parts(parts):
        left_out[part] |= set(_shared(index, part, other))
    return left_out


def _look(parts: Parts, kind: Kind = "one") -> _Index:
    keys = {part: rows.text_keys() for part, rows in parts.items()}
    empty = {part: set(_empty(rows)) for part, rows in parts.items()}
    return _Index(parts, keys, empty, kind)


def _empty(rows: Rows) -> Iterator[int]:
    """Rows of which nothing can be learned: without text, or with a picture that has a flaw."""
    if rows.reads == "image":
        yield from (index for index, flaw in enumerate(rows.flaws or ()) if flaw is not None)
        return
    pairs = iter(rows.pairs) if rows.pairs is not None else None
    for index, text in enumerate(rows.texts):
        pair = "-" if pairs is None else next(pairs)
        if not text.strip() or not pair.strip():
            yield index


def _pairs_of_parts(parts: Parts) -> list[tuple[str, str]]:
    """(part that gives rows up, part that keeps them)."""
    pairs = (("validation", "test"), ("train", "test"), ("train", "validation"))
    return [(one, two) for one, two in pairs if one in parts and two in parts]


def _shared(index: _Index, part: str, other: str) -> list[int]:
    """Rows of `part` whose text is also in `other`; empty texts aside."""
    theirs = np.delete(index.keys[other], sorted(index.empty[other]))
    shared = np.flatnonzero(np.isin(index.keys[part], theirs))
    return [i for i in shared.tolist() if i not in index.empty[part]]


def _refuse_hopeless(index: _Index) -> None:
    parts = index.parts
    total = sum(len(rows) for rows in parts.values())
    sources = ", ".join(dict.fromkeys(rows.source for rows in parts.values())) or "the data"
    if not total:
        raise DataError(f"{sources} has no rows", fix="add rows of data")
    for part, rows in parts.items():
        if not len(rows):
            raise DataError(f"{rows.source} has no rows ({part})", fix="add rows, or leave it out")
        if len(index.empty[part]) == len(rows) and rows.reads == "text":
            raise DataError(
                f"every text of {rows.source} is empty",
                fix="pass --data.columns.text NAME with the column that holds the text",
            )
    if total < MIN_ROWS:
        raise DataError(
            f"{sources} has {total} rows, expected {MIN_ROWS} or more",
            fix=f"add {'' if index.of_form else 'labelled '}rows; a few hundred make a number one can believe",
        )
    _refuse_equal_labels(index, sources)
    labels = Counter(name for rows in parts.values() for _, name in index.classes(rows))
    if not labels:
        return
    if len(labels) == 1 and index.kind == "one":
        raise DataError(
            f"every row of {sources} has the label {next(iter(labels))!r}: there is one class, "
            "expected two or more",
            fix="add rows of another class, or pass --data.columns.label NAME",
        )
    if len(labels) > total / 2:
        raise DataError(
            f"{sources} has {len(labels)} classes in {total} rows, expected two rows or more of "
            "each class",
            fix="pass --data.columns.label NAME; or merge classes, or add rows",
        )


def _refuse_equal_labels(index: _Index, sources: str) -> None:
    """Raise where all rows have the same number, or the same labels where there may be several."""
    if index.kind == "one":
        return
    found: set[Any] = {label for rows in index.parts.values() for label in rows.labels or ()}
    if index.kind == "number":
        found = {float(label) for label in found}
    if len(found) == 1:
        what = "number" if index.kind == "number" else "labels"
        raise DataError(
            f"every row of {sources} has the {what} {found.pop()}: there is nothing to learn",
            fix="pass --data.columns.label NAME with another column",
        )


def _empty_and_short(index: _Index) -> Iterator[Finding]:
    empty: list[Place] = []
    short: list[Place] = []
    for part, rows in index.parts.items():
        empty += [(rows, i) for i in sorted(index.empty[part])]
        for i, text in enumerate(rows.texts):
            if len(text.strip()) < SHORT_CHARACTERS and i not in index.empty[part]:
                short.append((rows, i))
    if empty:
        yield Finding(
            "empty-text",
            "warning",
            f"{_rows(len(empty))} without text; left out",
            "fill the text in, or remove the rows",
            len(empty),
            show(empty),
        )
    if short:
        yield Finding(
            "short-text",
            "note",
            f"{_rows(len(short))} with a text of one or two characters",
            "look whether these say enough to be labelled",
            len(short),
            show(short),
        )


def _unreadable(index: _Index) -> Iterator[Finding]:
    broken = [(rows, i) for part, rows in index.parts.items() for i in sorted(index.empty[part])]
    if not broken:
        return
    whole = [part for part, rows in index.parts.items() if len(index.empty[part]) == len(rows)]
    rows, first = broken[0]
    flaw = rows.flaws[first] if rows.flaws else None
    yield Finding(
        "format-image",
        "error" if whole else "warning",
        f"{_rows(len(broken))} with a picture that cannot be read ({flaw}); "
        + (f"nothing is left of {index.parts[whole[0]].source}" if whole else "left out"),
        "save the pictures again as JPEG or PNG, or remove the rows",
        len(broken),
        show(broken),
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _duplicates(index: _Index) -> Iterator[Finding]:
    again: list[Place] = []
    against: list[Place] = []
    for places in _same(index, index.whole_keys()):
        seen: set[str] = set()
        for part, i in places:
            if part in seen:
                again.append((index.parts[part], i))
            seen.add(part)
        if len({(index.parts[part].labels or [""] * (i + 1))[i] for part, i in places}) > 1:
            against += [(index.parts[part], i) for part, i in places]
    if again:
        yield Finding(
            "duplicate",
            "note",
            f"{_rows(len(again))} with a {index.noun} that is there before; the split keeps them "
            "together",
            "remove them if they are not meant to count twice",
            len(again),
            show(again),
        )
    if against:
        yield Finding(
            "contradictory-label",
            "warning",
            f"{_rows(len(against))} with the same {index.noun} and different labels",
            f"decide on one label for each {index.noun}",
            len(against),
            show(against),
        )


def _same(index: _Index, of_all: Mapping[str, Keys]) -> list[list[tuple[str, int]]]:
    """(part, row) of the rows of each text that is there twice or more, as they come."""
    ends = np.cumsum([len(keys) for keys in of_all.values()])
    names = list(of_all)

    def place(row: int) -> tuple[str, int]:
        part = int(np.searchsorted(ends, row, side="right"))
        return names[part], row - int(ends[part - 1] if part else 0)

    rows = sorted(rows for rows in together(np.concatenate(list(of_all.values()))) if len(rows) > 1)
    places = ([place(row) for row in same] for same in rows)
    return [same for same in places if same[0][1] not in index.empty[same[0][0]]]


def _leaks(index: _Index) -> Iterator[Finding]:
    for part, other in _pairs_of_parts(index.parts):
        rows = index.parts[part]
        shared = _shared(index, part, other)
        if not shared:
            continue
        most = len(shared) > 0.5 * len(rows)
        end = (
            "that is most of them, so the parts are not different data"
            if most
            else f"left out of {part}, so that the {other} score can be believed"
        )
        yield Finding(
            "leak",
            "error" if most else "warning",
            f"{_rows(len(shared))} of {part} ({rows.source}) with a {'prompt' if index.of_form else index.noun} that is also in "
            f"{other}; {end}",
            f"remove from {part} what is in {other}",
            len(shared),
            show((rows, i) for i in shared),
        )


def _classes(index: _Index) -> Iterator[Finding]:
    learned_from = index.parts.get("train", index.parts.get("all"))
    if learned_from is None or learned_from.labels is None:
        return
    part = "train" if "train" in index.parts else "all"
    counts = Counter(name for _, name in index.classes(learned_from))
    if not counts:
        return
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    if largest > IMBALANCE * smallest:
        yield Finding(
            "class-imbalance",
            "warning",
            f"the class {most!r} has {largest} rows and {least!r} has {smallest}",
            "judge by macro_f1, or set train.class_weights to balanced",
            largest,
        )
    yield from _rare(index, part, learned_from)
    for other in ("validation", "test"):
        if other in index.parts:
            yield from _unknown_labels(index, other, set(counts))


def _rare(index: _Index, part: str, rows: Rows) -> Iterator[Finding]:
    """Classes with fewer different texts than there are parts to fill from these rows."""
    wanted = 1 + sum(other not in index.parts for other in ("validation", "test"))
    if wanted == 1 or rows.labels is None:
        return
    texts: dict[str, set[bytes]] = defaultdict(set)
    first: dict[str, int] = {}
    for i, label in index.classes(rows):
        first.setdefault(label, i)
        if i not in index.empty[part] and len(texts[label]) < wanted:
            texts[label].add(index.keys[part][i])
    rare = sorted(
        (label for label in first if len(texts[label]) < wanted), key=lambda label: first[label]
    )
    if rare:
        shown = ", ".join(f"{label!r} has {len(texts[label])}" for label in rare[:5])
        more = f" (and {len(rare) - 5} more classes)" if len(rare) > 5 else ""
        yield Finding(
            "rare-class",
            "error",
            f"{rows.source} has too few different {index.noun}s of a class: {shown}{more}; "
            f"expected {wanted} or more of each, one for each part",
            "add rows of the class, merge it with another one, or remove it",
            len(rare),
            show((rows, first[label]) for label in rare),
        )


def _unknown_labels(index: _Index, part: str, known: set[str]) -> Iterator[Finding]:
    rows = index.parts[part]
    strange = [(i, name) for i, name in index.classes(rows) if name not in known]
    unknown = list(dict.fromkeys(i for i, _ in strange))
    if unknown:
        names = ", ".join(sorted({repr(name) for _, name in strange})[:5])
        yield Finding(
            "rare-class",
            "error",
            f"{_rows(len(unknown))} of {part} ({rows.source}) with labels that no training row "
            f"has: {names}",
            "use the same labels in every part, or add training rows of these classes",
            len(unknown),
            show((rows, i) for i in unknown),
        )


def _spellings(index: _Index) -> Iterator[Finding]:
    alike: dict[str, set[str]] = defaultdict(set)
    places: dict[str, Place] = {}
    for rows in index.parts.values():
        for i, label in index.classes(rows):
            if label not in places:
                places[label] = (rows, i)
                plain = label.casefold().replace("_", " ").replace("-", " ")
                alike[" ".join(plain.split())].add(label)
    groups = [sorted(labels) for labels in alike.values() if len(labels) > 1]
    if groups:
        shown = "; ".join(" and ".join(map(repr, group)) for group in groups[:5])
        yield Finding(
            "label-spelling",
            "warning",
            f"labels that differ only in case or space: {shown}",
            "write each label in one way",
            len(groups),
            show(places[label] for group in groups for label in group),
        )
