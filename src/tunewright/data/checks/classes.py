"""What is wrong with labels: few rows of one, many of another, two spellings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tunewright.data.checks.index import Index, num_rows
from tunewright.data.findings import Finding, Place, show
from tunewright.data.rows import Rows

IMBALANCE = 20


def classes(index: Index) -> Iterator[Finding]:
    """Classes with few rows or many, and those that training lacks."""
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


def _rare(index: Index, part: str, rows: Rows) -> Iterator[Finding]:
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


def _unknown_labels(index: Index, part: str, known: set[str]) -> Iterator[Finding]:
    rows = index.parts[part]
    strange = [(i, name) for i, name in index.classes(rows) if name not in known]
    unknown = list(dict.fromkeys(i for i, _ in strange))
    if unknown:
        names = ", ".join(sorted({repr(name) for _, name in strange})[:5])
        yield Finding(
            "rare-class",
            "error",
            f"{num_rows(len(unknown))} of {part} ({rows.source}) with labels that no training row "
            f"has: {names}",
            "use the same labels in every part, or add training rows of these classes",
            len(unknown),
            show((rows, i) for i in unknown),
        )


def spellings(index: Index) -> Iterator[Finding]:
    """Labels that are the same but for case and spaces."""
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
