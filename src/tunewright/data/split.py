"""Rows to training, validation and test: by content and seed, never by order in the file."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tunewright.data.bundles import Bundle, Links, Ties, chained, numbered
from tunewright.data.labels import strata
from tunewright.data.parts import PARTS
from tunewright.data.rows import Rows
from tunewright.errors import DataError
from tunewright.recipe.schema import Kind

By = Literal["stratified", "group", "time"]
NO_LINKS: Links = np.empty((0, 2), np.int64)
TIME_FORMATS = ("%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M")


def split_rows(
    rows: Rows,
    *,
    by: By,
    validation: float,
    test: float,
    seed: int,
    kind: Kind = "one",
    near: Links = NO_LINKS,
) -> dict[str, NDArray[np.int64]]:
    """Sorted 0-based indices of each part; the same rows and seed give the same parts.

    Equal texts (white space and case aside) land in the same part, and so do near copies, as far
    as `bundles` lets them. Stratified: every label
    with three different texts or more is in every part (`labels.strata`). Group: whole groups stay together,
    label mix and sizes near the shares. Time: the latest rows are the test part.

    Args:
        validation, test: shares of the rows, 0 for a part that is given otherwise.
        near: pairs of rows that are near copies, those that are most alike first.
    Raises:
        DataError: no groups or times, fewer than three groups, a time that cannot be read.
    """
    shares = {"train": 1.0 - validation - test, "validation": validation, "test": test}
    texts = numbered(rows.text_keys())
    ranks = [_rank(seed, row_id) for row_id in rows.ids]
    labels = strata(rows.labels or [""] * len(rows), kind if rows.labels else "one")
    if by == "group":
        ties = _group_ties(rows, shares)
        ties.tie(chained(texts, rows.ids).tolist())
    else:
        ties = Ties(texts, labels)
    ties.tie(near.tolist())
    bundles = ties.bundles(ranks)
    if by == "group":
        parts = _balanced(bundles, labels, shares)
    elif by == "time":
        parts = _by_time(rows, bundles, shares)
    else:
        parts = _stratified(labels, bundles, shares, seed)
    return {part: np.asarray(sorted(parts[part]), dtype=np.int64) for part in PARTS}


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).digest()


def _size(bundles: Iterable[Bundle]) -> int:
    return sum(len(bundle.rows) for bundle in bundles)


def _flat(bundles: Iterable[Bundle]) -> list[int]:
    return [row for bundle in bundles for row in bundle.rows]


# --- stratified


def _stratified(
    labels: list[str], bundles: list[Bundle], shares: dict[str, float], seed: int
) -> dict[str, list[int]]:
    counts = Counter(labels)
    strata: dict[str, list[Bundle]] = defaultdict(list)
    for bundle in bundles:  # equal texts under several labels count for the rarest of them
        rarest = min({labels[i] for i in bundle.rows}, key=lambda label: (counts[label], label))
        strata[rarest].append(bundle)
    order = sorted(strata, key=lambda label: _rank(seed, label))
    quotas = {part: _quotas(strata, order, shares, part) for part in ("test", "validation")}
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    for label in order:
        dealt = _deal(strata[label], quotas["test"][label], quotas["validation"][label])
        for part, chosen in zip(PARTS, dealt, strict=True):
            parts[part] += _flat(chosen)
    return parts


def _quotas(
    strata: dict[str, list[Bundle]], order: list[str], shares: dict[str, float], part: str
) -> dict[str, int]:
    """Rows of each label in this part: the share, rounded so that the total is right too.

    A label with a bundle for every part gets one row at least, and leaves one for training.
    """
    share = shares[part]
    wanted = sum(value > 0 for value in shares.values())
    sizes = {label: _size(strata[label]) for label in order}
    if share <= 0:
        return dict.fromkeys(order, 0)
    quotas = {}
    for label in order:
        enough = len(strata[label]) >= wanted
        quotas[label] = max(int(sizes[label] * share), 1 if enough else 0)
    missing = round(sum(sizes.values()) * share) - sum(quotas.values())
    by_rest = sorted(order, key=lambda label: quotas[label] - sizes[label] * share)
    for label in by_rest:
        if missing <= 0:
            break
        if len(strata[label]) > 1 and sizes[label] - quotas[label] > wanted - 1:
            quotas[label] += 1
            missing -= 1
    return quotas


def _deal(
    bundles: list[Bundle], test: int, validation: int
) -> tuple[list[Bundle], list[Bundle], list[Bundle]]:
    """Bundles of one label to train, validation and test, in the order of their rank."""
    parts: tuple[list[Bundle], list[Bundle], list[Bundle]] = ([], [], [])
    room = [0, validation, test]
    for bundle in bundles:
        size = len(bundle.rows)
        at = 2 if size <= room[2] else 1 if size <= room[1] else 0
        room[at] -= size
        parts[at].append(bundle)
    wanted = [at for at, quota in ((2, test), (1, validation), (0, 1)) if quota]
    for at in wanted:  # big bundles fit nowhere, and small ones may leave nothing to train on
        donor = max(parts, key=len)
        if not parts[at] and len(donor) > 1:
            smallest = min(donor, key=lambda bundle: (len(bundle.rows), bundle.rank))
            donor.remove(smallest)
            parts[at].append(smallest)
    return parts


# --- group


def _group_ties(rows: Rows, shares: dict[str, float]) -> Ties:
    if rows.groups is None:
        raise DataError(
            f"{rows.source} is to be split by group, and no group column is named",
            fix="pass --data.group NAME",
        )
    wanted = sum(share > 0 for share in shares.values())
    different = len(set(rows.groups))
    if different < wanted:
        raise DataError(
            f"{rows.source} has {different} groups, expected {wanted} or more, one for each part",
            fix="pass --data.group NAME with another column, or split without groups",
        )
    return Ties(numbered(rows.groups), [""] * len(rows))


def _balanced(
    bundles: list[Bundle], labels: list[str], shares: dict[str, float]
) -> dict[str, list[int]]:
    """Each bundle, the largest first, to the part that it brings closest to its size and mix."""
    wanted = [part for part in PARTS if shares[part] > 0]
    bundles = sorted(bundles, key=lambda bundle: (-len(bundle.rows), bundle.rank))
    names = sorted(set(labels))
    column = {name: index for index, name in enumerate(names)}
    totals = np.bincount([column[label] for label in labels], minlength=len(names))
    whole = np.append(totals, len(labels))
    weights = np.append(np.ones(len(names)), len(names))  # size counts as much as the mix
    lack = np.repeat([[shares[part]] for part in wanted], len(whole), axis=1)
    chosen: list[list[Bundle]] = [[] for _ in wanted]
    for bundle in bundles:
        count = np.bincount([column[labels[i]] for i in bundle.rows], minlength=len(names))
        gain = np.append(count, len(bundle.rows)) / whole
        closer = (((lack - gain) ** 2 - lack**2) * weights).sum(axis=1)
        at = int(np.argmin(closer))
        lack[at] -= gain
        chosen[at].append(bundle)
    for at in range(len(wanted)):
        if not chosen[at]:
            donor = max(chosen, key=len)
            smallest = min(donor, key=lambda bundle: (len(bundle.rows), bundle.rank))
            donor.remove(smallest)
            chosen[at].append(smallest)
    found = {part: _flat(taken) for part, taken in zip(wanted, chosen, strict=True)}
    return {part: found.get(part, []) for part in PARTS}


# --- time


def _by_time(rows: Rows, bundles: list[Bundle], shares: dict[str, float]) -> dict[str, list[int]]:
    """The latest bundles to test, those before to validation; a text counts at its latest."""
    if rows.times is None:
        raise DataError(
            f"{rows.source} is to be split by time, and no time column is named",
            fix="pass --data.time NAME",
        )
    moments = parse_times(rows)
    latest = sorted(bundles, key=lambda b: (-max(moments[i] for i in b.rows), b.rank))
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    wanted = {part: max(1, round(len(rows) * share)) for part, share in shares.items() if share > 0}
    for bundle in latest:
        part = next(
            (p for p in ("test", "validation") if len(parts[p]) < wanted.get(p, 0)), "train"
        )
        parts[part] += bundle.rows
    return parts


def parse_times(rows: Rows) -> list[float]:
    """Seconds since 1970, or the numbers themselves; times without a zone are UTC.

    Raises:
        DataError: a time that cannot be read, with its line; numbers and dates mixed.
    """
    moments: list[float] = []
    kinds: set[str] = set()
    for index, value in enumerate(rows.times or []):
        kind, moment = _moment(value)
        if not np.isfinite(moment):
            raise DataError(
                f"{rows.place(index)} has a time that cannot be read: {str(value)[:40]!r}",
                fix="write times like 2024-05-31 or 2024-05-31T18:00:00Z",
            )
        kinds.add(kind)
        if len(kinds) > 1:
            raise DataError(
                f"{rows.place(index)} has a {kind} as its time, and the rows before have another "
                "kind: numbers and dates are mixed",
                fix="write all times in one way, like 2024-05-31",
            )
        moments.append(moment)
    return moments


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)


def _moment(value: str | float) -> tuple[str, float]:
    """What kind of time it is, and its value; not a number when it cannot be read."""
    try:
        return "number", float(value)
    except ValueError:
        text = str(value).strip()
    readers: list[Callable[[str], datetime]] = [datetime.fromisoformat, parsedate_to_datetime]
    readers += [_reader(form) for form in TIME_FORMATS]
    for reader in readers:
        try:
            moment = reader(text)
        except (ValueError, TypeError):
            continue
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return "date", zoned.timestamp()
    return "date", float("nan")
